"""Attempts by week: made ahead, and dropped when nobody can read them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from pagerd.adapters.sql.postgres.address import address
from pagerd.adapters.sql.postgres.partitions import WEEK, keep_partitions
from pagerd.core.states import SessionState

from .hands import claimed, worked

NOW = 1_800_000_000.25
THIS = int(NOW // WEEK)


@pytest.fixture(autouse=True)
def as_it_was(admin: psycopg.Connection) -> Iterator[None]:
    """The database goes back to its pool without partitions."""
    yield
    for name in partitions(admin):
        if name != "attempt_other":
            admin.execute(f"DROP TABLE {name}")


def partitions(admin: psycopg.Connection) -> set[str]:
    rows = admin.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'attempt'::regclass")
    return {name for (name,) in rows}


async def told(process: Any, start: Callable[..., Any], **fields: Any) -> Any:
    await start(process.store, **fields)
    (claim,) = await claimed(process)
    await worked(process.ledger, claim)
    return claim.key


async def test_this_week_and_the_next_ones_have_a_partition(url: str, admin: psycopg.Connection) -> None:
    kept = await keep_partitions(address(url), NOW)
    assert kept.made == tuple(range(THIS, THIS + 5))
    assert (await keep_partitions(address(url), NOW)).made == ()
    assert partitions(admin) == {"attempt_other", *(f"attempt_week_{week}" for week in range(THIS, THIS + 5))}
    later = await keep_partitions(address(url), NOW + WEEK)
    assert (later.made, later.dropped) == ((THIS + 5,), (THIS,)), "a week of the past in which nothing was is dropped"


async def test_attempts_stand_in_the_week_of_their_session_and_are_read_through_it(
    process: Callable[..., Any], start: Callable[..., Any], url: str, admin: psycopg.Connection
) -> None:
    one = process(workspace=1)
    early = await told(one, start)
    assert admin.execute("SELECT tableoid::regclass::text FROM attempt").fetchall() == [("attempt_other",)]
    await keep_partitions(address(url), NOW)
    late = await told(one, start)
    rows = admin.execute("SELECT DISTINCT tableoid::regclass::text FROM attempt").fetchall()
    assert rows == [(f"attempt_week_{THIS}",)], "those that came before their partition have moved into it"
    for key in (early, late):
        assert await one.store.read(lambda w, key=key: w.batches.attempts(key)) == [(1, 0, b"told")]


async def test_a_week_is_dropped_when_the_last_key_of_its_sessions_is_shredded(
    process: Callable[..., Any], start: Callable[..., Any], url: str, admin: psycopg.Connection
) -> None:
    one = process(workspace=1)
    await keep_partitions(address(url), NOW)
    await told(one, start, settled_key=True)
    readable = await told(one, start)
    later = NOW + 2 * WEEK
    assert (await keep_partitions(address(url), later)).dropped == (THIS + 1,)
    assert await one.store.read(lambda w: w.batches.attempts(readable)) == [(1, 0, b"told")]
    admin.execute("UPDATE session SET settled_key = true")
    assert (await keep_partitions(address(url), later)).dropped == (THIS,)
    assert await one.store.read(lambda w: w.batches.attempts(readable)) == []


async def test_it_waits_for_nobody(url: str, admin: psycopg.Connection) -> None:
    with psycopg.connect(url) as busy:
        busy.execute("LOCK TABLE attempt IN ROW EXCLUSIVE MODE")
        busy.execute("LOCK TABLE attempt_other IN ROW EXCLUSIVE MODE")
        kept = await asyncio.wait_for(keep_partitions(address(url), NOW), 30)
    assert kept.made == ()
    assert (await keep_partitions(address(url), NOW)).made == tuple(range(THIS, THIS + 5))


async def test_an_attempt_of_a_lost_token_lands_there_too(
    process: Callable[..., Any], start: Callable[..., Any], url: str, admin: psycopg.Connection
) -> None:
    await keep_partitions(address(url), NOW)
    one = process()
    key = await told(one, start, state=SessionState.RUNNING)
    assert admin.execute("SELECT session, period FROM attempt").fetchall() == [(key.session, THIS)]
