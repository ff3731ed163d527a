"""What every ledger promises when a worker is gone: given back, doubts resolved by policy, an end after five losses."""

from __future__ import annotations

from typing import Any

import pytest

from pagerd.core import balance, cells
from pagerd.core.balance import Counts
from pagerd.core.cells import POSSIBLE_DUPLICATE, Cell
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.policy import OnDoubt
from pagerd.core.states import UNSETTLED, BatchState, RecipientState, SessionState
from pagerd.ports.ledger import Ledger, Said
from pagerd.ports.store import Store

R = RecipientState
B = BatchState
S = SessionState
NO_ANSWER = Reason(ReasonClass.IN_DOUBT, "no_answer")


@pytest.fixture
def lose(rig: Any) -> Any:
    """Let the claims of ``worker-a`` run over, and give them back; return how many."""

    async def run() -> int:
        rig.outlive()
        swept: int = await rig.ledger(b"sweeper").sweep()
        return swept

    return run


def people(vec: bytes) -> list[RecipientState]:
    return list(cells.states(vec))


async def reasons_of(store: Store, session: int) -> dict[tuple[RecipientState, ReasonClass], int]:
    known = await store.read(lambda w: w.reasons.all())
    found = await store.read(lambda w: w.sessions.reasons(session))
    return {(state, known[number].kind): n for state, number, n in found}


async def test_what_a_lost_worker_held_is_given_back_once(
    claim: Any, start: Any, lose: Any, row_of: Any, rig: Any, ledger: Ledger, store: Store
) -> None:
    session = await start(batches=3)
    await claim(2)
    assert await lose() == 2
    assert await lose() == 0
    row = await row_of(session)
    assert (row.state, row.losses, row.token) == (B.WAITING, 1, 1)
    assert row.run_at is not None
    assert row.run_at <= rig.clock.now()
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(
        pending=6, batches_waiting=2, batches_ready=1
    )
    due = await ledger.next_due()
    assert due is not None
    assert due <= rig.clock.now()


async def test_a_claim_that_still_holds_is_not_swept(claim: Any, start: Any, rig: Any, row_of: Any) -> None:
    session = await start()
    rig.outlive()
    (hand,) = await claim(1)
    assert await rig.ledger(b"worker-a").sweep() == 0
    assert (await row_of(session)).state is B.CLAIMED
    assert await hand.put(B.DISPATCHING, R.SENDING, R.PENDING) is Said.WRITTEN


async def test_a_late_word_after_the_sweep_is_lost(
    claim: Any, start: Any, lose: Any, row_of: Any, store: Store
) -> None:
    session = await start()
    (zombie,) = await claim(1)
    await zombie.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await lose()
    assert await zombie.put(B.SUCCEEDED, R.ACCEPTED, R.ACCEPTED, attempt=b"late") is Said.LOST
    assert (await row_of(session)).state is B.WAITING
    assert await store.read(lambda w: w.batches.attempts(zombie.claim.key)) == [(1, 0, b"late")]


async def test_with_resend_whoever_was_being_sent_to_is_flagged_and_pending_again(
    claim: Any, start: Any, lose: Any, store: Store
) -> None:
    session = await start(size=4)
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, Cell(R.SENDING, attempt=1), Cell(R.SENDING, attempt=1), R.PENDING, R.PENDING)
    await hand.put(B.DISPATCHING, Cell(R.ACCEPTED, attempt=1), Cell(R.SENDING, attempt=1), R.PENDING, R.PENDING)
    await lose()
    (again,) = await claim(1)
    assert cells.unpack(again.claim.vec) == [
        Cell(R.ACCEPTED, attempt=1),
        Cell(R.PENDING, flags=POSSIBLE_DUPLICATE, attempt=1),
        Cell(),
        Cell(),
    ]
    assert (again.claim.token, again.claim.losses) == (2, 1)
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(
        accepted=1, pending=3, possible_duplicates=1, batches_claimed=1
    )
    assert await reasons_of(store, session) == {}


async def test_whoever_is_in_doubt_twice_is_flagged_once(claim: Any, start: Any, lose: Any, store: Store) -> None:
    session = await start(size=1)
    for _ in range(2):
        (hand,) = await claim(1)
        await hand.put(B.DISPATCHING, *(c._replace(state=R.SENDING) for c in cells.unpack(hand.vec)))
        await lose()
    (hand,) = await claim(1, alone=True)
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(
        pending=1, possible_duplicates=1, batches_claimed=1
    )


async def test_with_hold_whoever_was_being_sent_to_is_unknown(claim: Any, start: Any, lose: Any, store: Store) -> None:
    session = await start(size=3, on_doubt=OnDoubt.HOLD)
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING, R.PENDING)
    await lose()
    (again,) = await claim(1)
    assert people(again.claim.vec) == [R.UNKNOWN, R.UNKNOWN, R.PENDING]
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(unknown=2, pending=1, batches_claimed=1)
    assert await reasons_of(store, session) == {(R.UNKNOWN, ReasonClass.UNKNOWN): 2}
    listed = await store.read(
        lambda w: w.batches.exceptions(session, state=R.UNKNOWN, reasons=None, after=(0, -1), limit=9)
    )
    assert [(row.no, row.idx) for row in listed] == [(1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("policy", "state", "counts"),
    [
        (OnDoubt.RESEND, R.PENDING, Counts(pending=1, accepted=1, possible_duplicates=1, batches_claimed=1)),
        (OnDoubt.HOLD, R.UNKNOWN, Counts(unknown=1, accepted=1, batches_claimed=1)),
    ],
    ids=["resend", "hold"],
)
async def test_a_broken_connection_s_doubt_is_resolved_by_the_next_claim(
    claim: Any, start: Any, rig: Any, store: Store, policy: OnDoubt, state: RecipientState, counts: Counts
) -> None:
    session = await start(batches=1, size=2, on_doubt=policy)
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    doubt = await store.work(lambda w: w.reasons.number(NO_ANSWER))
    await hand.put(B.WAITING, Cell(R.IN_DOUBT, code=doubt), Cell(R.ACCEPTED), run_at=rig.clock.now())
    assert await reasons_of(store, session) == {(R.IN_DOUBT, ReasonClass.IN_DOUBT): 1}
    (again,) = await claim(1)
    assert people(again.claim.vec) == [state, R.ACCEPTED]
    assert again.claim.losses == 0
    assert await store.read(lambda w: w.sessions.counts(session)) == counts
    assert (R.IN_DOUBT, ReasonClass.IN_DOUBT) not in await reasons_of(store, session)


async def test_with_hold_a_batch_with_nobody_left_to_send_to_ends(
    claim: Any, start: Any, lose: Any, row_of: Any, session_of: Any
) -> None:
    session = await start(size=2, on_doubt=OnDoubt.HOLD)
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await hand.put(B.DISPATCHING, R.ACCEPTED, R.SENDING)
    await lose()
    for again in await claim(1):
        assert not set(people(again.claim.vec)) & UNSETTLED
        await again.settle()
    row = await row_of(session)
    assert (row.state, people(row.vec)) == (B.FAILED, [R.ACCEPTED, R.UNKNOWN])
    assert (await session_of(session)).state is S.COMPLETED_WITH_FAILURES


async def test_a_batch_with_nobody_left_is_settled_also_when_that_claim_is_lost_too(
    claim: Any, start: Any, lose: Any, row_of: Any, session_of: Any
) -> None:
    session = await start(size=1, on_doubt=OnDoubt.HOLD)
    (hand,) = await claim(1)
    await hand.put(B.DISPATCHING, R.SENDING)
    await lose()
    await claim(1)
    await lose()
    for again in await claim(1, alone=True):
        await again.settle()
    assert (await row_of(session)).state is B.FAILED
    assert (await session_of(session)).state is S.FAILED


async def test_deferred_people_are_pending_again_when_their_time_has_come(
    claim: Any, start: Any, rig: Any, store: Store
) -> None:
    session = await start(size=2)
    (hand,) = await claim(1)
    now = int(rig.clock.now())
    rig.clock.step(now - rig.clock.now())
    soon, late = (Cell(R.DEFERRED, attempt=1, code=5, not_before=now + wait) for wait in (60, 600))
    await hand.put(B.DISPATCHING, R.SENDING, R.SENDING)
    await hand.put(B.WAITING, soon, late, run_at=float(now + 60))
    rig.clock.advance(60)
    (again,) = await claim(1)
    assert cells.unpack(again.claim.vec) == [Cell(R.PENDING, attempt=1), late]
    assert await store.read(lambda w: w.sessions.counts(session)) == Counts(pending=1, deferred=1, batches_claimed=1)


async def test_a_batch_lost_twice_is_handed_out_only_alone(claim: Any, start: Any, lose: Any) -> None:
    poison = await start()
    for _ in range(2):
        assert len(await claim(1)) == 1
        await lose()
    assert await claim(9) == []
    innocent = await start()
    assert [hand.claim.key.session for hand in await claim(9)] == [innocent]
    (hand,) = await claim(1, alone=True)
    assert (hand.claim.key.session, hand.claim.losses) == (poison, 2)


async def test_who_asks_for_lost_batches_gets_no_others(claim: Any, start: Any) -> None:
    await start()
    assert await claim(9, alone=True) == []


@pytest.mark.parametrize("policy", OnDoubt)
async def test_after_five_losses_a_batch_is_dead(
    claim: Any, start: Any, lose: Any, row_of: Any, session_of: Any, store: Store, policy: OnDoubt
) -> None:
    session = await start(size=3, on_doubt=policy)
    for losses in range(5):
        (hand,) = await claim(1, alone=losses >= 2)
        if losses == 4:
            await hand.put(B.DISPATCHING, R.SENDING, R.SENDING, R.PENDING)
            await hand.put(B.DISPATCHING, R.ACCEPTED, R.SENDING, R.PENDING)
        await lose()
    assert await claim(9, alone=True) == []
    assert await claim(9) == []
    row = await row_of(session)
    assert (row.state, row.losses) == (B.DEAD, 5)
    assert people(row.vec) == [R.ACCEPTED, R.UNKNOWN, R.FAILED]
    assert await reasons_of(store, session) == {
        (R.UNKNOWN, ReasonClass.UNKNOWN): 1,
        (R.FAILED, ReasonClass.POISON): 1,
    }
    assert (await session_of(session)).state is S.COMPLETED_WITH_FAILURES
    assert hand.claim.losses == 4
    assert balance.batch_verdict(row.vec) is B.FAILED


async def test_a_dead_batch_does_not_stop_its_session(claim: Any, start: Any, lose: Any, session_of: Any) -> None:
    session = await start(batches=2, size=1)
    first, second = await claim(2)
    await second.put(B.DISPATCHING, R.SENDING)
    await second.put(B.SUCCEEDED, R.ACCEPTED)
    await lose()
    for losses in range(1, 5):
        assert len(await claim(1, alone=losses >= 2)) == 1
        await lose()
    assert (await session_of(session)).state is S.COMPLETED_WITH_FAILURES
    assert await first.put(B.DISPATCHING, R.SENDING) is Said.LOST
