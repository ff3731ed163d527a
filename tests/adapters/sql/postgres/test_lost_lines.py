"""Connections that break: what was not committed is done again, and nothing counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tools.servers.postgres import PostgresServer

from pagerd.adapters.sql.postgres import lines
from pagerd.core.balance import Counts
from pagerd.core.errors import Unavailable
from pagerd.core.states import SessionState
from pagerd.ports.ledger import Said

from .hands import claimed, intent, outcome, worked


class Unanswered:
    """A line whose next commit is done, and not answered."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self.fetch = line.fetch
        self.close = line.close
        self.armed = True

    async def script(self, statements: str) -> None:
        await self._line.script(statements)
        if statements == "COMMIT" and self.armed:
            self.armed = False
            raise ConnectionResetError("the answer is lost")


async def leave_unanswered(process: Any) -> None:
    """The next commit of the hot path is done, and not answered."""
    process.store.lines._idle.append(Unanswered(await lines.line(process.store.at)))


async def test_a_commit_without_an_answer_is_not_counted_twice(
    process: Callable[..., Any], start: Callable[..., Any], url: str
) -> None:
    one = process()
    session = await start(one.store)
    (claim,) = await claimed(one)
    for write in (intent(claim), outcome(claim)):
        await leave_unanswered(one)
        with pytest.raises(Unavailable):
            await one.ledger.flush([write])
        assert await one.ledger.flush([write]) == [Said.WRITTEN]
    counts, row = await one.store.read(lambda w: (w.sessions.counts(session), w.sessions.by_number(session)))
    assert counts == Counts(accepted=2, batches_succeeded=1)
    assert row.state is SessionState.COMPLETED


async def test_claims_without_an_answer_run_over(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection
) -> None:
    one = process()
    await start(one.store)
    await leave_unanswered(one)
    with pytest.raises(Unavailable):
        await claimed(one)
    before = admin.execute("SELECT lease_until FROM batch").fetchone()
    await one.ledger.renew(one.worker)
    assert admin.execute("SELECT lease_until FROM batch").fetchone() == before, "nobody has it, so nobody renews it"
    admin.execute("UPDATE batch SET lease_until = lease_until - 31")
    assert await one.ledger.sweep() == 1


async def test_connections_that_were_cut_while_they_idled_are_made_anew(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection
) -> None:
    one = process()
    await start(one.store, 2)
    (claim,) = await claimed(one)
    await one.store.read(lambda w: w.facts.get("x"))
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pagerd'")
    assert await worked(one.ledger, claim) is Said.WRITTEN
    assert await one.store.read(lambda w: w.facts.get("x")) is None
    await one.store.work(lambda w: w.facts.set("x", b"1"))


async def test_a_database_that_was_shot_comes_back(private_postgres: Callable[..., PostgresServer]) -> None:
    from pagerd.adapters.sql.postgres.shape import migrated
    from pagerd.adapters.sql.postgres.store import PostgresStore

    server = private_postgres()
    await migrated(server.url)
    store = PostgresStore(server.url)
    try:
        await store.work(lambda w: w.facts.set("x", b"1"))
        await asyncio.to_thread(server.kill)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.read(lambda w: w.facts.get("x"))
        with pytest.raises(Unavailable):
            await store.lines.run(lambda line: line.fetch("SELECT 1"))
        await asyncio.to_thread(server.start)
        assert await store.read(lambda w: w.facts.get("x")) == b"1"
        assert await store.lines.run(lambda line: line.fetch("SELECT 1"))
    finally:
        await store.aclose()


async def test_another_process_hears_of_a_change(
    process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, admin: psycopg.Connection
) -> None:
    from pagerd.adapters.sql.postgres import hints

    monkeypatch.setattr(hints, "_POLL", 60.0)
    one, two = process(), process()
    hearing = asyncio.create_task(two.store.changed())
    listening = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pagerd' AND query ILIKE 'LISTEN%'"
    async with asyncio.timeout(20):
        while admin.execute(listening).fetchone() == (0,):
            await asyncio.sleep(0.01)
        await one.store.work(lambda w: w.facts.set("x", b"1"))
        await hearing
