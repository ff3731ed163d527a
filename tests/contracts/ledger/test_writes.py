"""What every ledger promises of writes: under the token, all of a write or nothing, the verdict in the same commit."""

from __future__ import annotations

from typing import Any

import pytest

from pagerd.core.balance import Counts
from pagerd.core.cells import Cell
from pagerd.core.states import BatchState, RecipientState, SessionState
from pagerd.ports.ledger import Ledger, Said
from pagerd.ports.store import ExceptionRow, Store

R = RecipientState
B = BatchState
S = SessionState


async def test_nothing_to_write_says_nothing(ledger: Ledger) -> None:
    assert await ledger.flush([]) == []


async def test_a_batch_on_its_way(claim: Any, start: Any, row_of: Any, session_of: Any, store: Store, rig: Any) -> None:
    session = await start(size=2)
    (hand,) = await claim(1)

    async def counts() -> Counts:
        return await store.read(lambda w: w.sessions.counts(session))

    assert await hand.put(B.DISPATCHING, R.SENDING, R.PENDING, needs_running=True) is Said.WRITTEN
    assert await counts() == Counts(sending=1, pending=1, batches_dispatching=1)
    assert await hand.put(B.DISPATCHING, R.ACCEPTED, R.SENDING, needs_running=True) is Said.WRITTEN
    assert await counts() == Counts(accepted=1, sending=1, batches_dispatching=1)
    assert (await session_of(session)).state is S.RUNNING
    rig.clock.advance(3)
    assert await hand.put(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED) is Said.WRITTEN
    assert await counts() == Counts(accepted=2, batches_succeeded=1)
    row, after = await row_of(session), await session_of(session)
    assert (row.state, row.vec, row.token, row.run_at) == (B.SUCCEEDED, hand.vec, 1, None)
    assert (after.state, after.finished_at) == (S.COMPLETED, rig.clock.now())


@pytest.mark.parametrize(
    ("people", "verdict"),
    [
        ((R.ACCEPTED, R.ACCEPTED), S.COMPLETED),
        ((R.ACCEPTED, R.FAILED), S.COMPLETED_WITH_FAILURES),
        ((R.FAILED, R.FAILED), S.FAILED),
    ],
    ids=["all told", "some", "none"],
)
async def test_the_verdict_comes_with_the_last_settle(
    claim: Any, start: Any, session_of: Any, refused: int, people: Any, verdict: SessionState
) -> None:
    session = await start(batches=2)
    first, second = await claim(2)
    for hand in (first, second):
        await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    done = [Cell(R.FAILED, code=refused) if person is R.FAILED else Cell(person) for person in people]
    state = B.FAILED if R.FAILED in people else B.SUCCEEDED
    await second.put(state, *done)
    assert (await session_of(session)).state is S.RUNNING
    await first.put(state, *done)
    assert (await session_of(session)).state is verdict


async def test_nobody_but_the_withheld_is_completed(claim: Any, start: Any, session_of: Any) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.SUCCEEDED, R.SUPPRESSED, R.DUPLICATE)
    assert (await session_of(session)).state is S.COMPLETED


async def test_a_session_does_not_finish_before_its_last_batch_is_settled(
    claim: Any, start: Any, session_of: Any
) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await hand.put(B.DISPATCHING, R.ACCEPTED, R.ACCEPTED)
    assert (await session_of(session)).state is S.RUNNING
    await hand.settle()
    assert (await session_of(session)).state is S.COMPLETED


async def test_a_session_with_chores_does_not_finish(claim: Any, start: Any, session_of: Any, save: Any) -> None:
    session = await start()
    (hand,) = await claim(1)
    await save(session, chores=b"redrive")
    await hand.put(B.FAILED, R.REJECTED, R.REJECTED)
    assert (await session_of(session)).finished_at is None


async def test_a_paused_session_finishes_when_what_was_under_way_is_settled(
    claim: Any, start: Any, session_of: Any, save: Any
) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING, needs_running=True)
    await save(session, state=S.PAUSED)
    assert await hand.put(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED) is Said.WRITTEN
    assert (await session_of(session)).state is S.COMPLETED


async def test_a_cancelled_session_stays_cancelled(claim: Any, start: Any, session_of: Any, save: Any) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await save(session, state=S.CANCELLED, finished_at=5.5)
    assert await hand.put(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED) is Said.WRITTEN
    row = await session_of(session)
    assert (row.state, row.finished_at) == (S.CANCELLED, 5.5)


@pytest.mark.parametrize("state", [S.PAUSED, S.CANCELLED, S.EXPIRED], ids=lambda s: s.value)
async def test_an_intent_is_stopped_where_the_session_does_not_run(
    claim: Any, start: Any, row_of: Any, save: Any, rig: Any, state: SessionState
) -> None:
    session = await start()
    (hand,) = await claim(1)
    await save(session, state=state)
    before = await row_of(session)
    assert await hand.put(B.DISPATCHING, R.SENDING, R.PENDING, needs_running=True) is Said.STOPPED
    assert await row_of(session) == before
    assert await hand.put(B.WAITING, run_at=rig.clock.now()) is Said.WRITTEN, "the claim still holds"


async def test_an_intent_is_stopped_past_the_expiry(claim: Any, start: Any, rig: Any) -> None:
    await start(expires_at=rig.clock.now() + 10)
    (hand,) = await claim(1)
    assert await hand.put(B.DISPATCHING, R.SENDING, R.PENDING, needs_running=True) is Said.WRITTEN
    rig.clock.advance(10)
    assert await hand.put(B.DISPATCHING, R.ACCEPTED, R.SENDING, needs_running=True) is Said.STOPPED
    assert await hand.put(B.DISPATCHING, R.ACCEPTED, R.PENDING) is Said.WRITTEN


async def test_a_lost_token_writes_nothing_but_its_attempt(
    claim: Any, start: Any, row_of: Any, rig: Any, store: Store
) -> None:
    session = await start()
    (zombie,) = await claim(1)
    await zombie.put(B.DISPATCHING, R.SENDING, R.SENDING)
    rig.outlive()
    other = rig.ledger(b"worker-b")
    assert await other.sweep() == 1
    (owner,) = await claim(1, ledger=other, worker=b"worker-b")
    before = await row_of(session), await store.read(lambda w: w.sessions.counts(session))
    assert await zombie.put(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED, attempt=b"late", window=1) is Said.LOST
    assert (await row_of(session), await store.read(lambda w: w.sessions.counts(session))) == before
    assert await store.read(lambda w: w.batches.attempts(owner.claim.key)) == [(1, 1, b"late")]


async def test_a_write_that_is_refused_harms_no_other(
    ledger: Ledger, claim: Any, start: Any, save: Any, row_of: Any
) -> None:
    running, paused = await start(batches=2), await start(batches=1)
    hands = {(hand.claim.key.session, hand.claim.key.no): hand for hand in await claim(3)}
    await save(paused, state=S.PAUSED)
    gone = hands[running, 2]
    await gone.put(B.SUCCEEDED, R.DUPLICATE, R.DUPLICATE)
    writes = [
        gone.write(B.DISPATCHING, R.DUPLICATE, R.DUPLICATE),
        hands[paused, 1].write(B.DISPATCHING, R.SENDING, R.SENDING, needs_running=True),
        hands[running, 1].write(B.DISPATCHING, R.SENDING, R.SENDING, needs_running=True),
    ]
    assert await ledger.flush(writes) == [Said.LOST, Said.STOPPED, Said.WRITTEN]
    states = [(await row_of(session, no)).state for session, no in ((running, 2), (paused, 1), (running, 1))]
    assert states == [B.SUCCEEDED, B.CLAIMED, B.DISPATCHING]


async def test_an_intent_under_a_lost_token_is_lost_also_where_the_session_is_paused(
    claim: Any, start: Any, save: Any
) -> None:
    session = await start(batches=2)
    hand, _ = await claim(2)
    await hand.put(B.SUCCEEDED, R.DUPLICATE, R.DUPLICATE)
    await save(session, state=S.PAUSED)
    assert await hand.put(B.DISPATCHING, needs_running=True) is Said.LOST


async def test_writes_of_one_batch_are_written_in_order(ledger: Ledger, claim: Any, start: Any, row_of: Any) -> None:
    session = await start()
    (hand,) = await claim(1)
    intent = hand.write(B.DISPATCHING, R.SENDING, R.SENDING, needs_running=True)
    hand.state, hand.vec = intent.state, intent.vec
    outcome = hand.write(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED)
    assert await ledger.flush([intent, outcome, outcome]) == [Said.WRITTEN, Said.WRITTEN, Said.LOST]
    assert (await row_of(session)).state is B.SUCCEEDED


async def test_attempts_are_kept_by_token_and_window_and_the_first_stays(
    claim: Any, start: Any, rig: Any, store: Store
) -> None:
    await start()
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, attempt=b"\0one", window=1)
    await hand.put(B.DISPATCHING, attempt=b"zero", window=0)
    await hand.put(B.DISPATCHING, attempt=b"other", window=1)
    await hand.put(B.WAITING, run_at=rig.clock.now())
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, attempt=b"two")
    found = await store.read(lambda w: w.batches.attempts(hand.claim.key))
    assert found == [(1, 0, b"zero"), (1, 1, b"\0one"), (2, 0, b"two")]


async def test_exceptional_people_enter_change_and_leave(
    claim: Any, start: Any, refused: int, rig: Any, store: Store
) -> None:
    session = await start(size=3)
    (hand,) = await claim(1)

    async def listed() -> list[ExceptionRow]:
        return await store.read(
            lambda w: w.batches.exceptions(session, state=None, reasons=None, after=(0, -1), limit=9)
        )

    later = int(rig.clock.now()) + 60
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING, R.SENDING)
    await hand.put(B.DISPATCHING, Cell(R.FAILED, code=refused), Cell(R.DEFERRED, code=7, not_before=later), R.SENDING)
    assert await listed() == [
        ExceptionRow(no=1, idx=0, state=R.FAILED, reason=refused, round=1),
        ExceptionRow(no=1, idx=1, state=R.DEFERRED, reason=7, round=1),
    ]
    await hand.put(B.DISPATCHING, Cell(R.FAILED, code=refused), R.SENDING, R.ACCEPTED)
    await hand.put(B.FAILED, Cell(R.FAILED, code=refused), Cell(R.FAILED, code=8), R.ACCEPTED)
    assert await listed() == [
        ExceptionRow(no=1, idx=0, state=R.FAILED, reason=refused, round=1),
        ExceptionRow(no=1, idx=1, state=R.FAILED, reason=8, round=1),
    ]
    assert sorted(await store.read(lambda w: w.sessions.reasons(session))) == sorted(
        [(R.FAILED, refused, 1), (R.FAILED, 8, 1)]
    )


async def test_a_loss_that_the_worker_saw_itself_is_counted(claim: Any, start: Any, rig: Any, row_of: Any) -> None:
    session = await start()
    (hand,) = await claim(1)
    await hand.put(B.WAITING, run_at=rig.clock.now(), lost=True)
    assert (await row_of(session)).losses == 1
    (hand,) = await claim(1)
    assert hand.claim.losses == 1
    await hand.put(B.WAITING, run_at=rig.clock.now(), lost=True)
    assert await claim(1) == []
    assert len(await claim(1, alone=True)) == 1
