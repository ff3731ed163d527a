"""What every ledger promises of batches that a queue brings, and of those that it loses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pagerd.core import cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.cells import Cell
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, RecipientState, SessionState
from pagerd.ports.ledger import Arrival, Ledger
from pagerd.ports.store import BatchRow, ExceptionRow, Published, SessionRow, Store, Work

R = RecipientState
B = BatchState
S = SessionState
_NEVER = 1e17


@pytest.fixture
def arrival(session_of: Any) -> Callable[..., Awaitable[Arrival]]:
    """What the record of a batch says."""

    async def make(session: int, no: int = 1, **fields: Any) -> Arrival:
        said = {
            "key": BatchKey(session, no),
            "session_id": (await session_of(session)).id,
            "n": 2,
            "payload": b"from the queue",
            "payload_at": b"\0\0\0\0" + no.to_bytes(4, "big"),
        }
        return Arrival(**(said | fields))

    return make


@pytest.fixture
def written(store: Store, session_of: Any) -> Callable[..., Awaitable[None]]:
    """Write batches down as the relay does: rows of published batches, and the cursor behind them."""

    async def write(session: int, last: int, at: float, vec: bytes = cells.fresh(2)) -> None:
        row = await session_of(session)

        def change(work: Work) -> None:
            work.batches.publish([_published(row, no, at, vec) for no in range(row.next_no, last + 1)])
            work.sessions.advance([(session, last + 1)], at)

        await store.work(change)

    return write


def _published(row: SessionRow, no: int, at: float, vec: bytes = cells.fresh(2)) -> Published:
    return Published(key=BatchKey(row.number, no), priority=row.priority, round=row.round, vec=vec, at=at)


async def _taken(ledger: Ledger, *arrivals: Arrival) -> list[Claim | None]:
    return await ledger.take(b"w", arrivals)


async def test_a_batch_that_came_is_claimed_with_what_it_brought(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any, row_of: Any, store: Store
) -> None:
    session = await start(batches=2)
    await written(session, 2, rig.clock.now())
    (claim,) = await _taken(ledger, await arrival(session, 2))
    assert claim is not None
    assert (claim.key, claim.token, claim.losses, claim.round) == (BatchKey(session, 2), 1, 0, 1)
    assert (claim.vec, claim.payload, claim.payload_at) == (cells.fresh(2), b"from the queue", b"\0\0\0\0\0\0\0\2")
    assert (await row_of(session, 2)).state is B.CLAIMED
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(
        pending=4, batches_ready=1, batches_claimed=1
    )


async def test_what_came_before_the_cursor_moved_is_claimed_with_what_the_store_holds(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any, session_of: Any, row_of: Any
) -> None:
    session = await start(batches=3, size=3, state=S.READY)
    (claim,) = await _taken(ledger, await arrival(session, 2))
    assert claim is not None
    assert (claim.vec, claim.payload) == (cells.fresh(3), b"payload 2")
    assert (await session_of(session)).next_no == 1
    await written(session, 3, rig.clock.now(), cells.fresh(3))
    assert (await row_of(session, 2)).state is B.CLAIMED
    taken = await _taken(ledger, *[await arrival(session, no) for no in (1, 2, 3)])
    assert [t is not None for t in taken] == [True, False, True]


async def test_a_record_that_came_twice_is_claimed_once(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any
) -> None:
    session = await start()
    await written(session, 1, rig.clock.now())
    record = await arrival(session)
    first, second = await _taken(ledger, record, record)
    assert first is not None
    assert second is None
    assert await _taken(rig.ledger(b"other"), record) == [None]


async def test_nobody_gets_what_another_took(rig: Any, start: Any, arrival: Any, written: Any) -> None:
    session = await start(batches=30)
    await written(session, 20, rig.clock.now())
    records = [await arrival(session, no) for no in range(1, 31)]
    workers = [rig.ledger(name) for name in (b"one", b"two", b"three")]
    taken = await asyncio.gather(*(worker.take(b"w%d" % i, records) for i, worker in enumerate(workers)))
    got = [claim.key.no for claims in taken for claim in claims if claim is not None]
    assert sorted(got) == list(range(1, 31))


@pytest.mark.parametrize(
    "state", [S.STAGING, S.SCHEDULED, S.PAUSED, S.CANCELLED, S.COMPLETED, S.EXPIRED], ids=lambda s: s.value
)
async def test_a_batch_of_a_session_that_does_not_run_is_not_claimed(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any, save: Any, state: SessionState
) -> None:
    session = await start(batches=2)
    await written(session, 1, rig.clock.now())
    await save(session, state=state)
    assert await _taken(ledger, await arrival(session, 1), await arrival(session, 2)) == [None, None]


async def test_a_batch_of_a_session_past_its_expiry_is_not_claimed(
    rig: Any, ledger: Ledger, start: Any, arrival: Any
) -> None:
    session = await start(expires_at=rig.clock.now() + 10)
    rig.clock.advance(10)
    assert await _taken(ledger, await arrival(session)) == [None]


async def test_nothing_beyond_the_end_is_claimed(ledger: Ledger, start: Any, arrival: Any) -> None:
    session = await start(batches=4, stop_no=2)
    records = [await arrival(session, no) for no in (0, 3, 4, 5)]
    assert await _taken(ledger, *records) == [None] * 4


async def test_a_record_of_another_session_with_the_same_number_is_not_claimed(
    ledger: Ledger, start: Any, arrival: Any
) -> None:
    session = await start()
    assert await _taken(ledger, await arrival(session, session_id=b"another session.")) == [None]
    assert await _taken(ledger, await arrival(session, key=BatchKey(session + 1000, 1))) == [None]


async def test_what_was_settled_at_the_door_is_not_claimed(
    ledger: Ledger, start: Any, arrival: Any, store: Store
) -> None:
    session = await start(batches=2)
    vecs = [cells.pack([Cell(state=R.DUPLICATE)] * 2), cells.pack([Cell(), Cell(state=R.DUPLICATE)])]

    def seed(work: Work) -> None:
        for no, state, vec in ((1, B.SUCCEEDED, vecs[0]), (2, B.READY, vecs[1])):
            row = BatchRow(key=BatchKey(session, no), state=state, token=0, losses=0, round=1, run_at=None, vec=vec)
            work.batches.seed([row])
        work.sessions.set_counts(session, Counts(pending=1, duplicate=3, batches_ready=1, batches_succeeded=1))
        rows = [ExceptionRow(no=no, idx=i, state=R.DUPLICATE, reason=0, round=1) for no, i in ((1, 0), (1, 1), (2, 1))]
        work.batches.except_(session, rows, [])
        work.sessions.count_reason(session, R.DUPLICATE, 0, 3)

    await store.work(seed)
    first, second = await _taken(ledger, await arrival(session, 1), await arrival(session, 2))
    assert first is None
    assert second is not None
    assert (second.vec, second.payload) == (vecs[1], b"from the queue")


async def test_payloads_revised_since_win_over_the_records(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any, save: Any
) -> None:
    session = await start(batches=2)
    await written(session, 2, rig.clock.now())
    await save(session, payload_rev=3)
    old, new = await _taken(ledger, await arrival(session, 1, revision=2), await arrival(session, 2, revision=3))
    assert old is not None
    assert new is not None
    assert (old.payload, old.payload_at) == (b"payload 1", b"\0\0\0\0\0\0\0\1")
    assert new.payload == b"from the queue"


async def test_what_was_published_and_never_came_is_found(
    rig: Any, ledger: Ledger, claim: Any, start: Any, arrival: Any, written: Any
) -> None:
    session = await start(batches=4)
    began = rig.clock.now()
    await written(session, 2, began)
    await written(session, 3, began + 5)
    assert await claim(9, fresh=False) == []
    assert await claim(9, fresh=False, published_before=began) == []
    (record,) = await _taken(ledger, await arrival(session, 1))
    assert record is not None
    (hand,) = await claim(9, fresh=False, published_before=began + 1)
    assert (hand.claim.key.no, hand.claim.payload) == (2, b"payload 2")
    assert await _taken(ledger, await arrival(session, 2)) == [None]
    assert [h.claim.key.no for h in await claim(9, published_before=began + 6)] == [3, 4], "then what is fresh"


async def test_only_as_many_as_wanted_and_of_its_queue(rig: Any, claim: Any, start: Any, written: Any) -> None:
    bulk = await start(batches=5)
    urgent = await start(batches=5, priority=Priority.URGENT)
    for session in (bulk, urgent):
        await written(session, 5, rig.clock.now())
    wanted = {"fresh": False, "published_before": rig.clock.now() + 1}
    assert [h.claim.key.session for h in await claim(3, **wanted)] == [bulk] * 3
    assert [h.claim.key.session for h in await claim(9, priority=Priority.URGENT, **wanted)] == [urgent] * 5
    assert await claim(1, alone=True, **wanted) == []
    assert [h.claim.key.no for h in await claim(9, **wanted)] == [4, 5]


async def test_what_a_paused_session_published_stands_in_nobodys_way(
    rig: Any, claim: Any, start: Any, written: Any, save: Any, store: Store
) -> None:
    paused, running = await start(batches=30), await start(batches=1)
    await written(paused, 30, rig.clock.now())
    await written(running, 1, rig.clock.now() + 1)
    await save(paused, state=S.PAUSED)
    wanted = {"fresh": False, "published_before": rig.clock.now() + 2}
    assert [h.claim.key.session for h in await claim(2, **wanted)] == [running]
    await save(paused, state=S.RUNNING)
    assert await claim(2, **(wanted | {"published_before": _NEVER})) == [], "until a resume gives it a time again"
    while await store.work(lambda w: w.batches.republished(paused, 7)):
        pass
    assert len(await claim(40, **(wanted | {"published_before": 1.0}))) == 30


async def test_publishing_again_takes_nothing_back(
    rig: Any, ledger: Ledger, start: Any, arrival: Any, written: Any, row_of: Any, store: Store, session_of: Any
) -> None:
    session = await start(batches=2, state=S.READY)
    await written(session, 2, rig.clock.now())
    row = await session_of(session)
    assert (row.state, row.started_at, row.next_no) == (S.RUNNING, rig.clock.now(), 3)
    (claim,) = await _taken(ledger, await arrival(session, 1))
    assert claim is not None

    def again(work: Work) -> None:
        work.batches.publish([_published(row, no, rig.clock.now() + 9) for no in (1, 2)])
        work.sessions.advance([(session, 2)], rig.clock.now() + 9)

    await store.work(again)
    assert ((await row_of(session, 1)).state, (await row_of(session, 1)).token) == (B.CLAIMED, 1)
    assert (await row_of(session, 2)).published_at == rig.clock.now() + 9
    assert await session_of(session) == row


@pytest.mark.parametrize("state", [S.PAUSED, S.CANCELLED, S.COMPLETED], ids=lambda s: s.value)
async def test_the_cursor_of_a_session_that_does_not_run_stays(
    rig: Any, start: Any, state: SessionState, session_of: Any, store: Store
) -> None:
    session = await start(batches=2, state=state)
    await store.work(lambda w: w.sessions.advance([(session, 3)], rig.clock.now()))
    assert ((await session_of(session)).next_no, (await session_of(session)).state) == (1, state)


async def test_many_cursors_move_at_once(rig: Any, start: Any, session_of: Any, store: Store) -> None:
    sessions = [await start(batches=9) for _ in range(3)]
    cursors = [(session, 3 + at) for at, session in enumerate(sessions)]
    await store.work(lambda w: w.sessions.advance(cursors[::-1], rig.clock.now()))
    assert [(session, (await session_of(session)).next_no) for session in sessions] == cursors
    await store.work(lambda w: w.sessions.advance([], rig.clock.now()))


async def test_the_cursor_never_passes_the_end(rig: Any, start: Any, session_of: Any, store: Store) -> None:
    session = await start(batches=4, stop_no=2)
    await store.work(lambda w: w.sessions.advance([(session, 4)], rig.clock.now()))
    assert (await session_of(session)).next_no == 1
