"""The ledger in memory: over the same tables as the store, with leases that a hand-moved clock ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from pagerd.adapters.memory.batches import UNDER_WAY, Lease
from pagerd.adapters.memory.claims import Claims, held, runs
from pagerd.adapters.memory.settling import Consequences, consequences, settle
from pagerd.adapters.memory.store import MemoryStore
from pagerd.core import cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.resolution import moves
from pagerd.core.states import BatchState, moved
from pagerd.ports.ledger import Arrival, Said, Want, Write
from pagerd.ports.store import BatchRow
from pagerd.ports.time import Clock

T = TypeVar("T")

LEASE: Final = 30.0
"""How long a claim holds without being renewed, in seconds."""


class MemoryLedger:
    """Implements ``ports.ledger.Ledger``; several of them over one store are several processes.

    It believes nobody: a write that makes a move which the drawings of states don't have, or whose counters, reasons
    or rows are not what its vectors say, raises. A real ledger could not afford to look.
    """

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._tables = store.tables
        self._clock = clock
        self._claims = Claims(store.tables)
        self._workers: set[bytes] = set()
        self._seen = -1

    async def claim(self, worker: bytes, wants: Sequence[Want]) -> list[Claim]:
        """Return batches that only this worker may work on until its lease ends."""
        self._workers.add(worker)
        self._seen = self._store.version

        def take() -> list[Claim]:
            lease = Lease(worker, self._clock.monotonic() + LEASE)
            return self._claims.take(wants, lease, self._clock.now())

        return [_sent(claim) for claim in await self._store.transaction(take)]

    async def take(self, worker: bytes, arrivals: Sequence[Arrival]) -> list[Claim | None]:
        """Claim the batches that a queue brought, in order; ``None`` for one that is not to be worked on now."""
        self._workers.add(worker)
        brought = [_sent(arrival) for arrival in arrivals]

        def take() -> list[Claim | None]:
            lease = Lease(worker, self._clock.monotonic() + LEASE)
            return [self._claims.take_arrival(arrival, lease, self._clock.now()) for arrival in brought]

        return [None if claim is None else _sent(claim) for claim in await self._store.transaction(take)]

    async def flush(self, writes: Sequence[Write]) -> list[Said]:
        """Write all; return what became of each, in order. One that is refused harms no other."""
        received = [_sent(write) for write in writes]
        return await self._store.transaction(lambda: [self._write(write) for write in received])

    async def renew(self, worker: bytes) -> None:
        """Extend the lease of everything this worker holds."""

        def extend() -> None:
            for row, lease in held(self._tables):
                if lease.worker == worker:
                    self._tables.batches.put(row, Lease(worker, self._clock.monotonic() + LEASE))

        await self._store.transaction(extend)

    def lease_end(self) -> float:
        """Return the monotonic time up to which every claim made here is certainly its worker's."""
        mine = [lease.until for _, lease in held(self._tables) if lease.worker in self._workers]
        return min(mine, default=self._clock.monotonic() + LEASE)

    def holds(self, key: BatchKey, token: int) -> bool:
        """Tell whether a claim is still one of the workers' of this ledger."""
        row, lease = self._tables.batches.get(key), self._tables.batches.leases.get((key.session, key.no))
        return row is not None and lease is not None and row.token == token and lease.worker in self._workers

    async def sweep(self) -> int:
        """Give claims whose lease is over back; return how many."""
        return await self._give_back(lambda lease: lease.until <= self._clock.monotonic())

    async def disconnected(self, worker: bytes) -> int:
        """Give back at once what a worker held whose connection is gone; return how many."""
        return await self._give_back(lambda lease: lease.worker == worker)

    async def next_due(self) -> float | None:
        """Return when the next waiting batch is due; ``None``: nothing waits."""
        rows = self._tables.batches.rows.rows()
        due = [row.run_at for row in rows if row.state is BatchState.WAITING and row.run_at is not None]
        return min(due, default=None)

    async def changed(self) -> None:
        """Return when something was written since the last claim here."""
        await self._store.changed_since(self._seen)
        self._seen = self._store.version

    async def ping(self) -> None:
        """Return when the store answers."""
        await self._store.ping()

    async def _give_back(self, over: Callable[[Lease], bool]) -> int:
        def run() -> int:
            gone = [row for row, lease in held(self._tables) if over(lease)]
            for row in gone:
                self._claims.give_back(row, self._clock.now())
            return len(gone)

        return await self._store.transaction(run)

    def _write(self, write: Write) -> Said:
        """Write one, or say why not."""
        key, place = write.key, (write.key.session, write.key.no, write.token, write.window)
        if write.attempt is not None and place not in self._tables.batches.records:
            self._tables.batches.records.put(place, write.attempt)
        row = self._tables.batches.get(key)
        if row is None or row.token != write.token or row.state not in UNDER_WAY:
            return Said.LOST
        now = self._clock.now()
        session = self._tables.sessions.by_number(key.session)
        if write.needs_running and (session is None or not runs(session, now)):
            return Said.STOPPED
        new = msgspec.structs.replace(
            row, state=write.state, vec=write.vec, run_at=write.run_at, losses=row.losses + write.lost
        )
        said = Consequences(counts=write.counts, reasons=write.reasons, enter=write.enter, leave=write.leave)
        _check(row, new, said)
        self._tables.batches.put(new)
        settle(self._tables, key, row.round, said, now)
        return Said.WRITTEN


def _sent(value: T) -> T:
    """Return ``value`` as it comes out of a wire."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))


def _check(old: BatchRow, new: BatchRow, said: Consequences) -> None:
    """Refuse a write that the drawings of states forbid, or whose words are not what follows from its vectors."""
    if new.state is not old.state:
        moved(old.state, new.state)
    if new.state is not BatchState.WAITING and new.run_at is not None:
        raise ValueError(f"a batch that is {new.state.word} has no time to run")
    for before, after in zip(cells.states(old.vec), cells.states(new.vec), strict=True):
        if before is not after:
            moved(before, after)
    due = consequences(old, new, moves(old.vec, cells.unpack(new.vec)))
    if said.counts != due.counts:
        raise ValueError(f"batch {old.key.no}: the write counts {said.counts}, its vectors say {due.counts}")
    for name in ("reasons", "enter", "leave"):
        told, true = getattr(said, name), getattr(due, name)
        if len(told) != len(true) or set(told) != set(true):
            raise ValueError(f"{name} of batch {old.key.no}: the write says {told}, its vectors say {true}")
