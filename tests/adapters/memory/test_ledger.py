"""What the ledger in memory has beyond the contract: it believes nobody, and leases end by the clock alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.ledger import LEASE, MemoryLedger
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import HandClock
from pagerd.core import balance, cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.cells import Cell
from pagerd.core.errors import Conflict, WrongState
from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority
from pagerd.core.states import BatchState, RecipientState, SessionState
from pagerd.ports.ledger import Exceptional, ReasonDelta, Said, Want, Write
from pagerd.ports.store import Payload, SessionRow, Work

R = RecipientState
B = BatchState


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore, clock: HandClock) -> MemoryLedger:
    return MemoryLedger(store, clock)


def row() -> SessionRow:
    return SessionRow(
        id=b"s" * 16,
        workspace=1,
        state=SessionState.RUNNING,
        template="welcome",
        version=1,
        channel=Channel.EMAIL,
        batch_size=2,
        priority=Priority.BULK,
        on_doubt=OnDoubt.RESEND,
        on_invalid=OnInvalid.FAIL,
        key_id=b"k" * 16,
        spec=b"",
        owner=b"o" * 16,
        created_at=0.0,
        stop_no=4,
        last_no=4,
        total=8,
    )


async def started(store: MemoryStore) -> None:
    def admit(work: Work) -> None:
        number = work.sessions.add(row(), Counts(pending=8, batches_ready=4))
        work.parts.add_payloads(number, [Payload(block=0, seq=no, n=2, blob=b"p") for no in range(1, 5)])

    await store.work(admit)


async def taken(ledger: MemoryLedger, n: int = 1, worker: bytes = b"a") -> list[Claim]:
    return await ledger.claim(worker, [Want(priority=Priority.BULK, batches=n)])


def written(claim: Claim, state: BatchState, *people: Cell, **fields: Any) -> Write:
    """Return the write of an honest worker, but for ``fields``."""
    vec = cells.pack(people)
    counts = balance.change((B.CLAIMED, claim.vec), (state, vec))
    honest: dict[str, Any] = {"key": claim.key, "token": claim.token, "state": state, "vec": vec, "counts": counts}
    return Write(**(honest | fields))


SENDING = Cell(R.SENDING)
FAILED = Cell(R.FAILED, code=3)
ENTERED = (Exceptional(0, R.FAILED, 3),)
COUNTED = (ReasonDelta(R.FAILED, 3, 1),)


@pytest.mark.parametrize(
    ("people", "fields", "words"),
    [
        ((SENDING, SENDING), {"counts": balance.as_tuple(Counts(pending=-1, sending=1))}, "the write counts"),
        ((FAILED, SENDING), {"reasons": COUNTED}, "enter of batch 1"),
        ((FAILED, SENDING), {"enter": ENTERED}, "reasons of batch 1"),
        ((FAILED, SENDING), {"reasons": COUNTED, "enter": ENTERED * 2}, "enter of batch 1"),
        ((SENDING, SENDING), {"leave": (1,)}, "leave of batch 1"),
        ((SENDING, SENDING), {"run_at": 5.0}, "has no time to run"),
        ((SENDING,), {}, "shorter"),
    ],
)
async def test_a_write_that_contradicts_itself_is_refused(
    store: MemoryStore, ledger: MemoryLedger, people: tuple[Cell, ...], fields: dict[str, Any], words: str
) -> None:
    await started(store)
    (claim,) = await taken(ledger)
    with pytest.raises(ValueError, match=words):
        await ledger.flush([written(claim, B.DISPATCHING, *people, **fields)])
    kept = await store.read(lambda w: w.batches.get(claim.key))
    assert kept is not None
    assert kept.state is B.CLAIMED


@pytest.mark.parametrize(
    ("state", "people"),
    [(B.READY, (SENDING, SENDING)), (B.DISPATCHING, (Cell(R.ACCEPTED), SENDING))],
    ids=["batch", "person"],
)
async def test_a_move_that_no_drawing_has_is_refused(
    store: MemoryStore, ledger: MemoryLedger, state: BatchState, people: tuple[Cell, ...]
) -> None:
    await started(store)
    (claim,) = await taken(ledger)
    with pytest.raises(WrongState, match="can't go from"):
        await ledger.flush([written(claim, state, *people)])


async def test_a_lease_ends_by_the_clock_alone(store: MemoryStore, ledger: MemoryLedger, clock: HandClock) -> None:
    await started(store)
    await taken(ledger)
    clock.step(10_000)
    clock.advance(LEASE - 0.1)
    assert await ledger.sweep() == 0
    clock.advance(0.1)
    assert await ledger.sweep() == 1


async def test_a_renewed_lease_goes_on_and_others_end(
    store: MemoryStore, ledger: MemoryLedger, clock: HandClock
) -> None:
    await started(store)
    (kept,), (lost,) = await taken(ledger, worker=b"a"), await taken(ledger, worker=b"b")
    clock.advance(20)
    await ledger.renew(b"a")
    clock.advance(20)
    assert await MemoryLedger(store, clock).sweep() == 1
    held = written(kept, B.DISPATCHING, SENDING, SENDING), written(lost, B.DISPATCHING, SENDING, SENDING)
    assert await ledger.flush(held) == [Said.WRITTEN, Said.LOST]


async def test_the_lease_that_ends_first_is_the_end(store: MemoryStore, ledger: MemoryLedger, clock: HandClock) -> None:
    await started(store)
    began = clock.monotonic()
    await taken(ledger)
    clock.advance(10)
    await taken(ledger)
    assert ledger.lease_end() == began + LEASE


async def test_a_worker_who_is_gone_gives_back_at_once(store: MemoryStore, ledger: MemoryLedger) -> None:
    await started(store)
    gone, _ = await taken(ledger, worker=b"a"), await taken(ledger, worker=b"b")
    assert await ledger.disconnected(b"a") == 1
    assert await ledger.disconnected(b"a") == 0
    (again,) = await taken(ledger, worker=b"c")
    assert (again.key, again.losses) == (gone[0].key, 1)


async def test_nobody_shares_an_object_with_the_store(store: MemoryStore) -> None:
    await started(store)
    one, two = [await store.read(lambda w: w.sessions.by_number(1)) for _ in range(2)]
    assert one == two
    assert one is not two


async def test_what_could_not_be_written_to_a_disk_is_not_kept(store: MemoryStore) -> None:
    strange: Any = msgspec.structs.replace(row(), spec=object())
    with pytest.raises(TypeError):
        await store.work(lambda w: w.sessions.add(strange, Counts()))
    assert await store.read(lambda w: w.sessions.next_after(0, 10)) == []


async def test_a_transaction_can_not_wait(store: MemoryStore) -> None:
    async def change(work: Work) -> None:
        work.facts.set("colour", b"red")

    run: Callable[[Work], Any] = change
    with pytest.raises(TypeError, match="plain function"):
        await close_after(store, run)


async def close_after(store: MemoryStore, run: Callable[[Work], Any]) -> None:
    made: list[Any] = []

    def change(work: Work) -> Any:
        made.append(run(work))
        return made[0]

    try:
        await store.work(change)
    finally:
        made[0].close()


@pytest.mark.parametrize(
    "again",
    [
        lambda w: w.sessions.add(row(), Counts()),
        lambda w: w.parts.add_payloads(1, [Payload(block=0, seq=1, n=2, blob=b"p")]),
        lambda w: w.batches.seed([w.batches.get(BatchKey(1, 1))]),
    ],
    ids=["session", "payload", "batch"],
)
async def test_what_is_there_is_not_inserted_again(
    store: MemoryStore, ledger: MemoryLedger, again: Callable[[Work], Any]
) -> None:
    await started(store)
    await taken(ledger)
    with pytest.raises(Conflict):
        await store.work(again)


async def test_a_full_disk_is_what_a_test_says(store: MemoryStore) -> None:
    store.free = 12
    assert store.spare() == 12
