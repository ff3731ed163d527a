"""Several processes at once: nobody gets what another has, and somebody finishes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg

from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.sql.postgres.ledger import PostgresLedger
from pagerd.adapters.sql.sqlite.ledger import LeaseTimes
from pagerd.core import cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, SessionState
from pagerd.ports.ledger import Said, Want
from pagerd.ports.store import IdempotencyRow, Work

from .hands import claimed, intent, outcome, worked

LEASE = 30.0


async def _work_off(process: Any) -> list[BatchKey]:
    mine: list[BatchKey] = []
    while claims := await claimed(process, 7):
        said = await asyncio.gather(*(worked(process.ledger, claim) for claim in claims))
        assert set(said) == {Said.WRITTEN}
        mine += [claim.key for claim in claims]
    return mine


async def test_four_processes_share_the_work_and_count_right(
    process: Callable[..., Any], start: Callable[..., Any]
) -> None:
    workers = [process() for _ in range(4)]
    sessions = [await start(workers[0].store, batches) for batches in (60, 25, 1, 1, 1)]
    done = await asyncio.gather(*(_work_off(worker) for worker in workers))
    keys = [key for mine in done for key in mine]
    assert len(keys) == len(set(keys)) == 88
    for session, batches in zip(sessions, (60, 25, 1, 1, 1), strict=True):
        row, counts = await workers[0].store.read(
            lambda w, session=session: (w.sessions.by_number(session), w.sessions.counts(session))
        )
        assert counts == Counts(accepted=2 * batches, batches_succeeded=batches)
        assert row.state is SessionState.COMPLETED


async def test_of_two_that_settle_the_last_batches_at_once_one_finishes_the_session(
    process: Callable[..., Any], start: Callable[..., Any]
) -> None:
    one, two = process(), process()
    sessions = [await start(one.store, 2) for _ in range(40)]
    first = {claim.key.session: claim for claim in await claimed(one, 40)}
    second = {claim.key.session: claim for claim in await claimed(two, 40)}
    assert set(first) == set(second) == set(sessions)
    for session in sessions:
        pair = ((one, first[session]), (two, second[session]))
        await asyncio.gather(*(worker.ledger.flush([intent(claim)]) for worker, claim in pair))
        await asyncio.gather(*(worker.ledger.flush([outcome(claim)]) for worker, claim in pair))
    states = await one.store.read(lambda w: [w.sessions.by_number(session).state for session in sessions])
    assert set(states) == {SessionState.COMPLETED}


async def test_a_session_is_finished_by_the_chore_or_by_the_last_settle(
    process: Callable[..., Any], start: Callable[..., Any]
) -> None:
    """A chore that ends while the last batch is settled: each of the two would leave it to the other."""
    one, two = process(), process()
    for _ in range(20):
        session = await start(one.store, chores=b"[]")
        (claim,) = await claimed(one)
        await one.ledger.flush([intent(claim)])

        def end(work: Work, session: int = session) -> None:
            row = work.sessions.by_number(session)
            assert row is not None
            over = not work.sessions.counts(session).open_batches
            done = {"state": SessionState.COMPLETED, "finished_at": 1.0} if over else {}
            work.sessions.save(_with(row, chores=None, **done))

        await asyncio.gather(one.ledger.flush([outcome(claim)]), two.store.work(end))
        row = await one.store.read(lambda w, session=session: w.sessions.by_number(session))
        assert row.state is SessionState.COMPLETED


def _with(row: Any, **fields: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(row, **fields)


async def test_a_claim_whose_lease_is_over_is_nobodys_before_it_is_anothers(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection, clock: HandClock
) -> None:
    one, two = process(), process()
    await start(one.store)
    (claim,) = await claimed(one)
    assert one.ledger.holds(claim.key, claim.token)
    admin.execute("UPDATE batch SET lease_until = lease_until - 31")
    clock.advance(31)
    assert one.ledger.lease_end() < clock.monotonic()
    await one.ledger.renew(one.worker)
    assert not one.ledger.holds(claim.key, claim.token), "a renewal that came too late gives nothing back"
    assert one.ledger.lease_end() > clock.monotonic(), "what is claimed from now on is safe again"
    assert await two.ledger.sweep() == 1
    (again,) = await claimed(two)
    assert (again.key, again.token, again.losses) == (claim.key, 2, 1)
    assert await one.ledger.flush([outcome(claim, BatchState.CLAIMED)]) == [Said.LOST]
    await one.ledger.renew(one.worker)
    assert not one.ledger.holds(claim.key, claim.token)
    assert await worked(two.ledger, again) is Said.WRITTEN


async def test_a_renewal_extends_what_is_not_over_and_only_that(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection, clock: HandClock
) -> None:
    one, two = process(), process()
    await start(one.store, 2)
    first, second = await claimed(one, 2)
    admin.execute("UPDATE batch SET lease_until = lease_until - 31 WHERE no = %s", (second.key.no,))
    clock.advance(25)
    await one.ledger.renew(one.worker)
    assert one.ledger.holds(first.key, first.token)
    assert not one.ledger.holds(second.key, second.token)
    assert one.ledger.lease_end() == clock.monotonic() + LEASE
    assert await two.ledger.sweep() == 1
    left = admin.execute("SELECT lease_until - extract(epoch FROM now()) FROM batch WHERE no = 1").fetchone()
    assert left is not None
    assert 28 < left[0] <= LEASE


async def test_sweepers_at_once_count_each_loss_once(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection
) -> None:
    workers = [process() for _ in range(3)]
    session = await start(workers[0].store, 30)
    await claimed(workers[0], 30)
    admin.execute("UPDATE batch SET lease_until = lease_until - 31")
    assert sum(await asyncio.gather(*(worker.ledger.sweep() for worker in workers))) == 30
    rows = await workers[0].store.read(lambda w: w.batches.page(session, 0, 99))
    assert {(row.state, row.losses) for row in rows} == {(BatchState.WAITING, 1)}
    assert await workers[0].store.read(lambda w: w.sessions.counts(session)) == Counts(pending=60, batches_waiting=30)


async def test_the_same_idempotency_key_at_once_is_answered_once(process: Callable[..., Any]) -> None:
    workers = [process() for _ in range(6)]

    def admit(work: Work, answer: bytes) -> bytes:
        kept = work.idempotency.get(1, True, b"key", 0.0)
        if kept is not None:
            return kept.answer
        work.idempotency.add(_answer(answer), 0.0)
        return answer

    said = await asyncio.gather(
        *(worker.store.work(lambda w, n=n: admit(w, b"%d" % n)) for n, worker in enumerate(workers))
    )
    assert len(set(said)) == 1


async def test_changes_of_one_session_go_one_after_the_other(
    process: Callable[..., Any], start: Callable[..., Any]
) -> None:
    workers = [process() for _ in range(3)]
    session = await start(workers[0].store)

    def more(work: Work) -> None:
        row = work.sessions.by_number(session)
        assert row is not None
        work.sessions.save(_with(row, total=row.total + 1))

    await asyncio.gather(*(worker.store.work(more) for worker in workers for _ in range(20)))
    row = await workers[0].store.read(lambda w: w.sessions.by_number(session))
    assert row.total == 2 + 60


async def test_a_pause_between_claim_and_intent_is_seen(process: Callable[..., Any], start: Callable[..., Any]) -> None:
    one, two = process(), process()
    session = await start(one.store, 2)
    (claim,) = await claimed(one)

    def pause(work: Work) -> None:
        row = work.sessions.by_number(session)
        work.sessions.save(_with(row, state=SessionState.PAUSED))

    await two.store.work(pause)
    assert await one.ledger.flush([intent(claim)]) == [Said.STOPPED]
    assert await claimed(two) == []
    assert cells.unpack(claim.vec)


def _answer(answer: bytes) -> IdempotencyRow:
    return IdempotencyRow(workspace=1, live=True, key=b"key", mac=b"m" * 32, status=202, answer=answer, expires_at=None)


async def test_leases_are_renewed_beside_a_busy_loop(
    process: Callable[..., Any], start: Callable[..., Any], admin: psycopg.Connection, clock: HandClock
) -> None:
    one = process()
    quick = PostgresLedger(one.store, clock, b"quick", LeaseTimes(length=LEASE, renew=0.02))
    try:
        await start(one.store)
        await quick.claim(b"quick", [Want(priority=Priority.BULK, batches=1)])
        before = admin.execute("SELECT lease_until FROM batch").fetchone()
        deadline = time.monotonic() + 20
        while admin.execute("SELECT lease_until FROM batch").fetchone() == before:  # the loop stands still meanwhile
            assert time.monotonic() < deadline
    finally:
        await quick.aclose()
