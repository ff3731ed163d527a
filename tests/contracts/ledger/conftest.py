"""Sessions to claim from, a worker's hand on a batch, and an audit after every test."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from pagerd.core import balance, cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.cells import Cell
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.policy import Priority
from pagerd.core.resolution import moves
from pagerd.core.states import EXCEPTIONAL, BatchState, RecipientState
from pagerd.ports.ledger import Exceptional, Ledger, ReasonDelta, Said, Want, Write
from pagerd.ports.store import BatchRow, Payload, SessionRow, Store, Work

WORKER = b"worker-a"


class Hand:
    """A worker's hand on one batch: what it writes is what its vectors say."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self.ledger = ledger
        self.claim = claim
        self.state = claim.state
        self.vec = claim.vec

    def write(self, state: BatchState, *people: Cell | RecipientState, **fields: Any) -> Write:
        """Return the write that moves the batch to ``state`` and its people to ``people`` (none: as they are)."""
        old = cells.unpack(self.vec)
        new = [c if isinstance(c, Cell) else b._replace(state=c, code=0) for b, c in zip(old, people, strict=False)]
        changed = moves(self.vec, new or old)
        return Write(
            key=self.claim.key,
            token=self.claim.token,
            state=state,
            vec=changed.vec,
            counts=balance.change((self.state, self.vec), (state, changed.vec)),
            reasons=tuple(ReasonDelta(s, reason, n) for (s, reason), n in changed.reasons.items()),
            enter=tuple(Exceptional(idx, s, reason) for idx, s, reason in changed.enter),
            leave=changed.leave,
            **fields,
        )

    async def put(self, state: BatchState, *people: Cell | RecipientState, **fields: Any) -> Said:
        """Flush that write; return what became of it."""
        write = self.write(state, *people, **fields)
        (said,) = await self.ledger.flush([write])
        if said is Said.WRITTEN:
            self.state, self.vec = write.state, write.vec
        return said

    async def settle(self) -> Said:
        """Settle the batch with the verdict that its vector earned."""
        return await self.put(balance.batch_verdict(self.vec))


async def claimed(ledger: Ledger, n: int = 1, worker: bytes = WORKER, **want: Any) -> list[Hand]:
    """Claim up to ``n`` batches."""
    wanted = Want(**({"priority": Priority.BULK, "batches": n} | want))
    return [Hand(ledger, claim) for claim in await ledger.claim(worker, [wanted])]


Claiming = Callable[..., Awaitable[list[Hand]]]
Starting = Callable[..., Awaitable[int]]


@pytest.fixture
def ledger(rig: Any) -> Ledger:
    made: Ledger = rig.ledger(WORKER)
    return made


@pytest.fixture
def claim(ledger: Ledger) -> Claiming:
    """Claim batches; ``ledger`` and ``worker`` may be others."""

    async def take(n: int = 1, **fields: Any) -> list[Hand]:
        return await claimed(fields.pop("ledger", ledger), n, **fields)

    return take


@pytest.fixture
def start(store: Store, session_row: Callable[..., SessionRow]) -> Starting:
    """Make sessions of ``batches`` batches of ``size`` people each, all pending; return their number."""

    async def make(batches: int = 1, size: int = 2, **fields: Any) -> int:
        row = session_row(**({"stop_no": batches, "last_no": batches, "total": batches * size} | fields))

        def admit(work: Work) -> int:
            number = work.sessions.add(row, Counts(pending=batches * size, batches_ready=batches))
            payloads = [Payload(block=0, seq=no, n=size, blob=b"payload %d" % no) for no in range(1, batches + 1)]
            work.parts.add_payloads(number, payloads)
            return number

        return await store.work(admit)

    return make


@pytest.fixture
async def refused(store: Store) -> int:
    """The number of a reason for failure."""
    return await store.work(lambda w: w.reasons.number(Reason(ReasonClass.PERMANENT_ADDRESS, "550 5.1.1")))


@pytest.fixture
def row_of(store: Store) -> Callable[..., Awaitable[BatchRow]]:
    """Read a batch's row."""

    async def read(session: int, no: int = 1) -> BatchRow:
        row = await store.read(lambda w: w.batches.get(BatchKey(session, no)))
        assert row is not None
        return row

    return read


@pytest.fixture
def session_of(store: Store) -> Callable[[int], Awaitable[SessionRow]]:
    """Read a session's row."""

    async def read(number: int) -> SessionRow:
        row = await store.read(lambda w: w.sessions.by_number(number))
        assert row is not None
        return row

    return read


@pytest.fixture
def save(store: Store, session_of: Callable[[int], Awaitable[SessionRow]]) -> Callable[..., Awaitable[None]]:
    """Change fields of a session's row."""

    async def write(number: int, **fields: Any) -> None:
        row = msgspec.structs.replace(await session_of(number), **fields)
        await store.work(lambda w: w.sessions.save(row))

    return write


@pytest.fixture(autouse=True)
async def audit(store: Store) -> AsyncIterator[None]:
    """After the test: counters, reasons and exception rows are what the vectors say, whatever happened."""
    yield
    for session in await store.read(lambda w: w.sessions.next_after(0, 1000)):
        await store.read(lambda w, session=session: _audit(w, session))


def _audit(work: Work, session: SessionRow) -> None:
    number = session.number
    rows = {row.key.no: row for row in work.batches.page(number, 0, 100_000)}
    folded = []
    for no in range(1, session.last_no + 1):
        payload = work.parts.payload(number, no)
        assert payload is not None
        fresh = (BatchState.READY, cells.fresh(payload.n))
        folded.append((rows[no].state, rows[no].vec) if no in rows else fresh)
    assert work.sessions.counts(number) == balance.fold(folded)
    places = {
        (no, idx): (cell.state, cell.code)
        for no, row in rows.items()
        for idx, cell in enumerate(cells.unpack(row.vec))
        if cell.state in EXCEPTIONAL
    }
    listed = work.batches.exceptions(number, state=None, reasons=None, after=(0, -1), limit=100_000)
    assert {(row.no, row.idx): (row.state, row.reason) for row in listed} == places
    assert {(state, reason): n for state, reason, n in work.sessions.reasons(number)} == Counter(places.values())
