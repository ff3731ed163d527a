"""The real PgBouncer in transaction mode, with fewer server connections than there are clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tools.servers.pgbouncer import PgBouncer
from tools.servers.postgres import PostgresServer

from pagerd.core.balance import Counts
from pagerd.core.states import SessionState
from pagerd.ports.ledger import Said

from .hands import claimed, worked


@pytest.fixture(params=["postgresql", "postgresql+psycopg"])
def pooled(
    request: pytest.FixtureRequest,
    private_pgbouncer: Callable[..., PgBouncer],
    postgres_server: PostgresServer,
    database: str,
) -> str:
    bouncer = private_pgbouncer(postgres_server, settings={"default_pool_size": "2"})
    return bouncer.url_of(database).replace("postgresql", request.param, 1) + "?pgbouncer=true"


async def test_processes_share_two_server_connections(
    process: Callable[..., Any], start: Callable[..., Any], pooled: str, url: str
) -> None:
    workers = [process(url=pooled, direct=url, workspace=1) for _ in range(3)]
    sessions = [await start(workers[0].store, 10) for _ in range(3)]

    async def work(one: Any) -> int:
        done = 0
        while claims := await claimed(one, 5):
            for claim in claims:
                assert await worked(one.ledger, claim) is Said.WRITTEN
            await one.ledger.renew(one.worker)
            done += len(claims)
        return done

    async def look(one: Any) -> None:
        for n in range(20):
            await one.store.work(lambda w, n=n: w.facts.set(f"{one.worker!r}", b"%d" % n))
            await one.store.read(lambda w: [w.sessions.counts(session) for session in sessions])

    done = await asyncio.gather(*map(work, workers), *map(look, workers))
    assert sum(n for n in done if n is not None) == 30
    for session in sessions:
        counts, row = await workers[0].store.read(
            lambda w, session=session: (w.sessions.counts(session), w.sessions.by_number(session))
        )
        assert counts == Counts(accepted=20, batches_succeeded=10)
        assert row.state is SessionState.COMPLETED


async def test_a_bound_store_is_bound_behind_a_pgbouncer_too(
    process: Callable[..., Any], start: Callable[..., Any], pooled: str, url: str
) -> None:
    """Settings of a transaction must not stay behind on the server connection that the next one gets."""
    one, two = (process(url=pooled, direct=url, workspace=number) for number in (1, 2))
    session = await start(one.store)
    for _ in range(10):
        mine, theirs = await asyncio.gather(
            one.store.read(lambda w: w.sessions.by_number(session)),
            two.store.read(lambda w: w.sessions.by_number(session)),
        )
        assert mine is not None
        assert theirs is None
