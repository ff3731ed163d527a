"""The ledger on SQLite: claims and writes in the writer's shared commits, and the lease that a process holds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pagerd.adapters.sql.sqlite.arrivals import take
from pagerd.adapters.sql.sqlite.claims import Claims, give_back
from pagerd.adapters.sql.sqlite.flushes import Flushes
from pagerd.adapters.sql.sqlite.leases import Lease
from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.adapters.sql.sqlite.store import SqliteStore
from pagerd.adapters.sql.sqlite.writer import Hands
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.resolution import HELD, POISON
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Arrival, Said, Want, Write
from pagerd.ports.time import Clock

_SWEEP: Final = 200


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long a claim lasts and how often it is extended, in seconds; leases use the machine's boot-time clock."""

    length: float = 30.0
    renew: float = 10.0


class SqliteLedger:
    """Implements ``ports.ledger.Ledger`` for one worker process on one database file."""

    def __init__(self, store: SqliteStore, clock: Clock, worker: bytes, times: LeaseTimes | None = None) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._times = times or LeaseTimes()
        self._claims = Claims()
        self._lease_end = clock.monotonic() + self._times.length
        self._reasons: tuple[int, int] | None = None
        self._flushes = Flushes(store.writer, clock)
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew_forever, name="pagerd-lease", daemon=True)
        self._renewer.start()

    async def claim(self, worker: bytes, wants: Sequence[Want]) -> list[Claim]:
        """Return batches that only this worker may work on, durable before it returns."""
        lease = await self._lease(worker)
        asked = tuple(wants)
        return await self._store.writer.do(lambda hands: self._claims.take(hands.raw, asked, lease), safe=True)

    async def take(self, worker: bytes, arrivals: Sequence[Arrival]) -> list[Claim | None]:
        """Claim the batches that a queue brought, in order, durable before it returns."""
        lease = await self._lease(worker)
        brought = tuple(arrivals)
        return await self._store.writer.do(lambda hands: take(hands.raw, brought, lease), safe=True)

    async def flush(self, writes: Sequence[Write]) -> list[Said]:
        """Write all; return what became of each, in order, once it is durable."""
        said = await self._flushes.add(writes)
        if any(write.state is BatchState.WAITING for write in writes):
            self._store.tell_changed()
        return said

    async def renew(self, worker: bytes) -> None:
        """Extend the lease of everything this worker holds."""
        began = self._clock.monotonic()
        await self._store.writer.do(self._renewal(worker, began))
        self._lease_end = began + self._times.length

    def lease_end(self) -> float:
        """Return the monotonic time up to which this process's claims are certainly its own."""
        return self._lease_end

    def holds(self, key: BatchKey, token: int) -> bool:  # noqa: ARG002 - no other process could have taken it
        """Tell whether a claim is still this process's: while it has the file, it is."""
        return True

    async def sweep(self) -> int:
        """Give back what workers of earlier processes hold: this store has one, so all but our own are gone."""
        lease = await self._lease(self._worker)
        swept = await self._store.writer.do(lambda hands: give_back(hands.raw, lease, _SWEEP))
        if swept:
            self._store.tell_changed()
        return swept

    async def next_due(self) -> float | None:
        """Return when the next waiting batch is due (UTC epoch seconds); ``None``: nothing waits."""
        return await self._store.look(lambda raw: raw.execute(HOT["next_due"]).fetchone()[0])

    async def changed(self) -> None:
        """Return when there may be new work to claim."""
        await self._store.changed()

    async def ping(self) -> None:
        """Return when a write would succeed."""
        await self._store.writer.do(lambda hands: hands.raw.execute("SELECT 1").fetchone())

    async def aclose(self) -> None:
        """End the renewals; twice is harmless. What is still held is given back by the next process."""
        self._closing.set()
        await asyncio.to_thread(self._renewer.join)

    async def _lease(self, worker: bytes) -> Lease:
        if self._reasons is None:
            self._reasons = await self._store.work(lambda w: (w.reasons.number(HELD), w.reasons.number(POISON)))
        held, poison = self._reasons
        until = self._clock.monotonic() + self._times.length
        return Lease(worker=worker, until=until, now=self._clock.now(), held=held, poison=poison)

    def _renewal(self, worker: bytes, began: float) -> Callable[[Hands], None]:
        def run(hands: Hands) -> None:
            hands.raw.execute(HOT["renew"], (began + self._times.length, worker))

        return run

    def _renew_forever(self) -> None:
        """Renew on a thread of its own, so that a busy event loop can't let the lease go."""
        while not self._closing.wait(self._times.renew):
            began = self._clock.monotonic()

            def renewed(_: None, error: BaseException | None, began: float = began) -> None:
                if error is None:  # a store that can't be written lets the lease end, and with it the sending
                    self._lease_end = began + self._times.length

            try:
                self._store.writer.post(self._renewal(self._worker, began), renewed)
            except Exception:  # noqa: BLE001 - the store is closing: so is the lease
                return


def boot_seconds() -> float:
    """Return seconds on the clock that never jumps and counts while a process is stopped or the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
