"""What every store promises of its transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.balance import Counts
from pagerd.core.errors import Unavailable
from pagerd.core.states import RecipientState
from pagerd.ports.store import (
    IdempotencyRow,
    SessionRow,
    Store,
    Work,
)

R = RecipientState
MakeSession = Callable[..., SessionRow]


async def test_a_change_gives_its_value_and_is_seen_afterwards(store: Store) -> None:
    assert await store.work(lambda w: (w.facts.set("colour", b"blue"), 7)[1]) == 7
    assert await store.read(lambda w: w.facts.get("colour")) == b"blue"


async def test_a_change_sees_its_own_writes(store: Store) -> None:
    def change(work: Work) -> bytes | None:
        work.facts.set("colour", b"blue")
        return work.facts.get("colour")

    assert await store.work(change) == b"blue"


async def test_an_exception_undoes_everything(store: Store, session_row: MakeSession) -> None:
    await store.work(lambda w: w.facts.set("colour", b"blue"))

    def change(work: Work) -> None:
        work.facts.set("colour", b"red")
        work.facts.set("shape", b"round")
        number = work.sessions.add(session_row(), Counts(pending=3))
        work.sessions.count_reason(number, R.FAILED, 1, 1)
        work.idempotency.add(_answer(), now=0.0)
        raise KeyError("thought better of it")

    with pytest.raises(KeyError, match="thought better of it"):
        await store.work(change)
    assert await store.read(lambda w: (w.facts.get("colour"), w.facts.get("shape"))) == (b"blue", None)
    assert await store.read(lambda w: w.sessions.next_after(0, 10)) == []
    assert await store.read(lambda w: w.idempotency.get(1, True, b"again", 0.0)) is None


async def test_a_failed_change_harms_no_neighbour(store: Store) -> None:
    def fail(work: Work) -> None:
        work.facts.set("bad", b"1")
        raise KeyError("no")

    changes: list[Any] = [store.work(lambda w, n=n: w.facts.set(f"good {n}", b"1")) for n in range(10)]
    changes.insert(5, store.work(fail))
    said = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(value) for value in said if value is not None] == [KeyError]
    kept = await store.read(lambda w: [n for n in range(10) if w.facts.get(f"good {n}")])
    assert kept == list(range(10))
    assert await store.read(lambda w: w.facts.get("bad")) is None


async def test_changes_from_many_callers_do_not_run_into_each_other(store: Store) -> None:
    def more(work: Work) -> None:
        work.facts.set("count", bytes((int.from_bytes(work.facts.get("count") or b"\0", "big") + 1,)))

    await asyncio.gather(*(store.work(more) for _ in range(50)))
    assert await store.read(lambda w: w.facts.get("count")) == bytes((50,))


async def test_a_look_must_not_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"."):
        await store.read(lambda w: w.facts.set("colour", b"red"))
    assert await store.read(lambda w: w.facts.get("colour")) is None


async def test_a_look_that_fails_says_so_and_the_next_one_works(store: Store) -> None:
    def look(work: Work) -> None:
        raise KeyError("nothing here")

    with pytest.raises(KeyError, match="nothing here"):
        await store.read(look)
    assert await store.read(lambda w: w.facts.get("colour")) is None


async def test_a_look_is_one_snapshot(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts(pending=100)))

    def move(work: Work) -> None:
        work.sessions.count(number, Counts(pending=-1))
        work.sessions.count(number, Counts(accepted=1))

    async def look() -> int:
        return (await store.read(lambda w: w.sessions.counts(number))).total

    said = await asyncio.gather(*(task for _ in range(30) for task in (store.work(move), look())))
    assert {value for value in said if value is not None} == {100}


async def test_it_answers_until_it_is_closed(store: Store) -> None:
    await store.ping()
    await store.aclose()
    await store.aclose()
    with pytest.raises(Unavailable):
        await store.work(lambda w: w.facts.set("colour", b"red"))


async def test_it_says_how_much_may_still_be_written(store: Store) -> None:
    assert store.spare() > 0


async def test_facts_absence_and_replacement(store: Store) -> None:
    assert await store.read(lambda w: w.facts.get("colour")) is None
    await store.work(lambda w: w.facts.set("colour", b""))
    assert await store.read(lambda w: w.facts.get("colour")) == b""
    await store.work(lambda w: w.facts.set("colour", b"\0\xff"))
    assert await store.read(lambda w: w.facts.get("colour")) == b"\0\xff"


def _answer() -> IdempotencyRow:
    return IdempotencyRow(
        workspace=1, live=True, key=b"again", mac=b"m" * 32, status=202, answer=b"{}", expires_at=None
    )
