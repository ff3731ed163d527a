"""What every ledger promises of claims: nobody else's, in turns, only what may run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pagerd.core import cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey
from pagerd.core.cells import Cell
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, RecipientState, SessionState
from pagerd.ports.ledger import Ledger, Said, Want
from pagerd.ports.store import BatchRow, ExceptionRow, PartRow, Payload, SessionRow, Store, Work

R = RecipientState
B = BatchState
S = SessionState


async def test_no_work_is_an_empty_list(ledger: Ledger, claim: Any) -> None:
    assert await claim(10) == []
    assert await ledger.claim(b"w", []) == []
    assert await ledger.next_due() is None


async def test_a_claim_holds_everything_a_worker_needs(claim: Any, start: Any, row_of: Any, store: Store) -> None:
    session = await start(batches=2, size=3)
    (hand,) = await claim(1)
    got = hand.claim
    assert (got.key, got.token, got.losses, got.round) == (BatchKey(session, 1), 1, 0, 1)
    assert (got.vec, got.payload, got.payload_at) == (cells.fresh(3), b"payload 1", b"\0\0\0\0\0\0\0\1")
    row = await row_of(session)
    assert (row.state, row.token, row.vec) == (B.CLAIMED, 1, cells.fresh(3))
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(
        pending=6, batches_ready=1, batches_claimed=1
    )


async def test_a_batch_of_a_part_has_the_payload_of_its_place(
    claim: Any, store: Store, session_row: Callable[..., SessionRow]
) -> None:
    def upload(work: Work) -> None:
        number = work.sessions.add(session_row(stop_no=3, last_no=3), Counts(pending=6, batches_ready=3))
        for part, block, batches, base in ((1, 12, 1, 0), (2, 11, 2, 1)):
            work.parts.put(
                PartRow(
                    session=number,
                    part=part,
                    block=block,
                    recipients=batches * 2,
                    batches=batches,
                    flaws=0,
                    flawed=b"",
                    digest=b"",
                    received_at=1.0,
                    base=base,
                )
            )
            work.parts.add_payloads(
                number, [Payload(block=block, seq=seq, n=2, blob=bytes((block, seq))) for seq in range(1, batches + 1)]
            )

    await store.work(upload)
    got = [hand.claim for hand in await claim(3)]
    assert [(g.payload, g.payload_at) for g in got] == [
        (bytes((block, seq)), b"\0\0\0" + bytes((block,)) + b"\0\0\0" + bytes((seq,)))
        for block, seq in ((12, 1), (11, 1), (11, 2))
    ]


async def test_nobody_gets_what_another_has(rig: Any, claim: Any, start: Any) -> None:
    sessions = [await start(batches=20), await start(batches=7)]
    workers = [b"one", b"two", b"three"]
    taken = await asyncio.gather(
        *(claim(2, worker=worker, ledger=rig.ledger(worker)) for _ in range(5) for worker in workers)
    )
    keys = [hand.claim.key for hands in taken for hand in hands]
    assert sorted(keys) == sorted(
        BatchKey(session, no) for session, last in zip(sessions, (20, 7), strict=True) for no in range(1, last + 1)
    )


async def test_a_big_session_does_not_starve_a_small_one(claim: Any, start: Any) -> None:
    big = await start(batches=100)
    small = await start(batches=3)
    taken = Counter(hand.claim.key.session for hand in await claim(6))
    assert taken == {big: 3, small: 3}


async def test_sessions_take_turns_also_one_claim_at_a_time(claim: Any, start: Any) -> None:
    sessions = [await start(batches=10) for _ in range(3)]
    taken: Counter[int] = Counter()
    for _ in range(9):
        taken.update(hand.claim.key.session for hand in await claim(1))
    assert taken == dict.fromkeys(sessions, 3)


async def test_a_session_that_comes_later_gets_its_turn_at_once(claim: Any, start: Any) -> None:
    await start(batches=100)
    await claim(10)
    late = await start(batches=1)
    assert late in {hand.claim.key.session for hand in await claim(2)}


async def test_priorities_have_queues_of_their_own(ledger: Ledger, claim: Any, start: Any) -> None:
    bulk = await start(batches=5)
    urgent = await start(batches=5, priority=Priority.URGENT)
    assert {hand.claim.key.session for hand in await claim(9, priority=Priority.URGENT)} == {urgent}
    wants = [Want(priority=Priority.URGENT, batches=2), Want(priority=Priority.BULK, batches=2)]
    assert [got.key.session for got in await ledger.claim(b"w", wants)] == [bulk, bulk]


async def test_what_one_want_finds_the_next_ones_need_not(ledger: Ledger, start: Any) -> None:
    bulk = await start(batches=9)
    urgent = await start(batches=3, priority=Priority.URGENT)
    wants = [Want(priority=Priority.URGENT, batches=5), Want(priority=Priority.BULK, batches=5)]
    assert [got.key.session for got in await ledger.claim(b"w", wants)] == [urgent] * 3 + [bulk] * 2


async def test_a_ready_session_runs_from_its_first_claim_on(rig: Any, claim: Any, start: Any, session_of: Any) -> None:
    session = await start(batches=2, state=S.READY)
    began = rig.clock.now()
    await claim(1)
    rig.clock.advance(5)
    await claim(1)
    row = await session_of(session)
    assert (row.state, row.started_at, row.next_no) == (S.RUNNING, began, 3)


@pytest.mark.parametrize(
    "state", [S.STAGING, S.SCHEDULED, S.PAUSED, S.CANCELLED, S.COMPLETED, S.EXPIRED], ids=lambda s: s.value
)
async def test_a_session_that_does_not_run_is_not_claimed(claim: Any, start: Any, state: SessionState) -> None:
    await start(state=state)
    assert await claim(1) == []


async def test_a_session_past_its_expiry_is_not_claimed(rig: Any, claim: Any, start: Any) -> None:
    await start(batches=2, expires_at=rig.clock.now() + 10)
    assert len(await claim(1)) == 1
    rig.clock.advance(10)
    assert await claim(1) == []


async def test_fresh_work_ends_where_the_session_was_stopped(claim: Any, start: Any) -> None:
    session = await start(batches=5, stop_no=2)
    assert [hand.claim.key for hand in await claim(9)] == [BatchKey(session, 1), BatchKey(session, 2)]


def _seeded(session: int, no: int, state: BatchState, *people: RecipientState) -> BatchRow:
    vec = cells.pack(Cell(state=person) for person in people)
    return BatchRow(key=BatchKey(session, no), state=state, token=0, losses=0, round=1, run_at=None, vec=vec)


async def test_what_was_known_at_the_door_is_in_the_claim(claim: Any, start: Any, store: Store) -> None:
    """Batch 1 was settled at the door, batch 2 has a duplicate, batch 3 has nothing to say."""
    session = await start(batches=3)
    rows = [
        _seeded(session, 1, B.SUCCEEDED, R.DUPLICATE, R.DUPLICATE),
        _seeded(session, 2, B.READY, R.PENDING, R.DUPLICATE),
    ]

    def seed(work: Work) -> None:
        work.batches.seed(rows)
        work.sessions.set_counts(session, Counts(pending=3, duplicate=3, batches_ready=2, batches_succeeded=1))
        places = [(1, 0), (1, 1), (2, 1)]
        work.batches.except_(session, [_duplicate(no, idx) for no, idx in places], [])
        work.sessions.count_reason(session, R.DUPLICATE, 0, 3)

    await store.work(seed)
    got = [hand.claim for hand in await claim(9)]
    assert [(g.key.no, g.token, g.vec) for g in got] == [(2, 1, rows[1].vec), (3, 1, cells.fresh(2))]


def _duplicate(no: int, idx: int) -> ExceptionRow:
    return ExceptionRow(no=no, idx=idx, state=R.DUPLICATE, reason=0, round=1)


async def test_a_batch_that_waits_is_claimed_when_it_is_due_and_not_before(
    rig: Any, ledger: Ledger, claim: Any, start: Any
) -> None:
    await start()
    (hand,) = await claim(1)
    due = rig.clock.now() + 60
    assert await hand.put(B.WAITING, run_at=due) is Said.WRITTEN
    assert await ledger.next_due() == due
    rig.clock.advance(59.5)
    assert await claim(1) == []
    rig.clock.advance(0.5)
    (again,) = await claim(1)
    assert (again.claim.key, again.claim.token, again.claim.losses) == (hand.claim.key, 2, 0)
    assert (again.claim.payload, again.claim.payload_at) == (hand.claim.payload, hand.claim.payload_at)
    assert await ledger.next_due() is None


async def test_due_batches_come_before_fresh_ones_the_longest_due_first(rig: Any, claim: Any, start: Any) -> None:
    session = await start(batches=5)
    for hand, wait in zip(await claim(3), (30, 10, 20), strict=True):
        await hand.put(B.WAITING, run_at=rig.clock.now() + wait)
    rig.clock.advance(25)
    assert [hand.claim.key.no for hand in await claim(3)] == [2, 3, 4]
    assert [hand.claim.key for hand in await claim(3)] == [BatchKey(session, 5)]


async def test_a_paused_session_s_waiting_batches_wait_for_the_resume(
    rig: Any, claim: Any, start: Any, save: Any, store: Store
) -> None:
    paused, other = await start(batches=3), await start(batches=1)
    for hand in await claim(4):
        await hand.put(B.WAITING, run_at=rig.clock.now())
    await save(paused, state=S.PAUSED)
    taken = [hand for _ in range(6) for hand in await claim(1)]
    assert [hand.claim.key.session for hand in taken] == [other]
    await save(paused, state=S.RUNNING)
    while await store.work(lambda w: w.batches.parked(paused, 2, rig.clock.now())):
        pass
    assert [hand.claim.key.session for hand in await claim(9)] == [paused] * 3


async def test_other_sessions_parked_batches_stay_parked(
    rig: Any, claim: Any, start: Any, save: Any, store: Store
) -> None:
    sessions = [await start(), await start()]
    for hand in await claim(2):
        await hand.put(B.WAITING, run_at=rig.clock.now())
    for session in sessions:
        await save(session, state=S.PAUSED)
    assert [await claim(1) for _ in range(3)] == [[], [], []]
    for session in sessions:
        await save(session, state=S.RUNNING)
    while await store.work(lambda w: w.batches.parked(sessions[0], 10, rig.clock.now())):
        pass
    assert [hand.claim.key.session for hand in await claim(9)] == [sessions[0]]


async def test_a_redriven_batch_is_claimed_in_its_new_round(
    rig: Any, claim: Any, start: Any, row_of: Any, save: Any, store: Store
) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await hand.put(B.FAILED, R.ACCEPTED, R.FAILED)
    row = await row_of(session)
    people = [cell._replace(state=R.PENDING) if cell.state is R.FAILED else cell for cell in cells.unpack(row.vec)]
    again = msgspec.structs.replace(row, state=B.WAITING, round=2, run_at=rig.clock.now(), vec=cells.pack(people))

    def redrive(work: Work) -> bool:
        work.sessions.count(session, Counts(pending=1, failed=-1, batches_waiting=1, batches_failed=-1))
        work.sessions.count_reason(session, R.FAILED, 0, -1)
        work.batches.except_(session, [], [(1, 1)])
        return work.batches.rewrite(row, again)

    assert await store.work(redrive)
    await save(session, state=S.RUNNING, round=2, finished_at=None)
    (hand,) = await claim(1)
    assert (hand.claim.round, hand.claim.token, hand.claim.vec) == (2, 2, again.vec)


async def test_whoever_waits_for_a_change_hears_of_new_work(ledger: Ledger, claim: Any, start: Any) -> None:
    async def work_comes() -> list[Any]:
        while not (hands := await claim(1)):
            await ledger.changed()
        return hands

    waiting = asyncio.create_task(work_comes())
    await asyncio.sleep(0)
    session = await start()
    (hand,) = await asyncio.wait_for(waiting, 10)
    assert hand.claim.key.session == session


async def test_a_lease_is_the_worker_s_own_until_its_end_and_can_be_extended(
    rig: Any, ledger: Ledger, claim: Any, start: Any
) -> None:
    await start()
    await claim(1)
    end = ledger.lease_end()
    assert end > rig.clock.monotonic() + 10
    rig.clock.advance(10)
    await ledger.renew(b"worker-a")
    assert ledger.lease_end() == pytest.approx(end + 10)


async def test_it_answers(ledger: Ledger) -> None:
    await ledger.ping()
