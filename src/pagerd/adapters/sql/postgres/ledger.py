"""The ledger on PostgreSQL: claims and writes of one worker process among others, and the leases that it holds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from pagerd.adapters.sql.postgres import arrivals
from pagerd.adapters.sql.postgres.claims import Claims
from pagerd.adapters.sql.postgres.flushes import Flushes
from pagerd.adapters.sql.postgres.held import Held
from pagerd.adapters.sql.postgres.lines import CommitUnknown, Line
from pagerd.adapters.sql.postgres.renewals import Renewer, renew
from pagerd.adapters.sql.postgres.statements import HOT
from pagerd.adapters.sql.postgres.store import PostgresStore
from pagerd.adapters.sql.postgres.sweep import give_back
from pagerd.adapters.sql.postgres.tally import Tally, finish
from pagerd.adapters.sql.postgres.terms import Lease
from pagerd.adapters.sql.postgres.writes import HOLDING, write_all
from pagerd.adapters.sql.sqlite.ledger import LeaseTimes
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.resolution import HELD, POISON
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Arrival, Said, Want, Write
from pagerd.ports.time import Clock

_SWEEP: Final = 200
_SHARDS: Final = 64
_MARGIN: Final = 10.0
"""Seconds that a claim must still be ours for, so that no transaction under way outlives it (see ``lines``)."""


class PostgresLedger:
    """Implements ``ports.ledger.Ledger`` for one worker process; any number of them work on one database."""

    def __init__(self, store: PostgresStore, clock: Clock, worker: bytes, times: LeaseTimes | None = None) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._times = times or LeaseTimes()
        self._claims = Claims()
        self._held = Held()
        self._reasons: tuple[int, int] | None = None
        # Two shards a process: a claim and a flush that are under way at once don't wait for each other.
        shard = 2 * (zlib.crc32(worker) % _SHARDS)
        self._claiming, self._writing = shard + 1, shard + 2
        self._flushes = Flushes(self._commit)
        self._doubtful: dict[BatchKey, int] = {}
        times = self._times
        self._renewer = Renewer(store.at, self._held, clock, length=times.length, every=times.renew)

    async def claim(self, worker: bytes, wants: Sequence[Want]) -> list[Claim]:
        """Return batches that only this worker may work on until its lease ends, durable before it returns."""
        lease = await self._lease(worker)
        until = self._clock.monotonic() + lease.length

        async def run(line: Line) -> list[Claim]:
            tally = Tally(self._claiming)
            claims = await self._claims.take(line, tally, wants, lease, self._held.by_session())
            await tally.settle(line)
            return claims

        claims = await self._store.lines.run(run)
        self._held.add(claims, until)
        return claims

    async def take(self, worker: bytes, brought: Sequence[Arrival]) -> list[Claim | None]:
        """Claim the batches that a queue brought, in order; ``None`` for one that is not to be worked on now."""
        lease = await self._lease(worker)
        until = self._clock.monotonic() + lease.length

        async def run(line: Line) -> list[Claim | None]:
            tally = Tally(self._claiming)
            claims = await arrivals.take(line, tally, brought, lease)
            await tally.settle(line)
            return claims

        claims = await self._store.lines.run(run) if brought else []
        self._held.add((claim for claim in claims if claim is not None), until)
        return claims

    async def flush(self, writes: Sequence[Write]) -> list[Said]:
        """Write all; return what became of each, in order, once it is durable."""
        said = await self._flushes.add(writes)
        if any(write.state is BatchState.WAITING for write in writes):
            self._store.tell_changed()
        return said

    async def renew(self, worker: bytes) -> None:  # noqa: ARG002 - a process is one worker
        """Extend the lease of everything this process holds; what was over by then is not held any more."""
        await renew(self._store.lines, self._held, self._clock, self._times.length)

    def lease_end(self) -> float:
        """Return the monotonic time up to which this process's claims are certainly its own."""
        return self._held.end(self._clock.monotonic() + self._times.length)

    def holds(self, key: BatchKey, token: int) -> bool:
        """Tell whether a claim is still this process's: not settled, not given back, not lost as far as it knows."""
        return self._held.holds(key, token)

    async def sweep(self) -> int:
        """Give claims whose lease is over back, whoever made them; return how many. Twice is harmless."""
        lease = await self._lease(self._worker)
        swept = await self._store.lines.run(lambda line: give_back(line, Tally(self._claiming), lease, _SWEEP))
        if swept:
            self._store.tell_changed()
        return swept

    async def next_due(self) -> float | None:
        """Return when the next waiting batch is due (UTC epoch seconds); ``None``: nothing waits."""
        rows = await self._store.lines.run(lambda line: line.fetch(HOT["next_due"]))
        due: float | None = rows[0][0]
        return due

    async def changed(self) -> None:
        """Return when there may be new work to claim."""
        await self._store.changed()

    async def ping(self) -> None:
        """Return when a write would succeed."""
        await self._store.lines.run(lambda line: line.fetch("SELECT txid_current()"))

    async def aclose(self) -> None:
        """End the renewals; twice is harmless. What is still held comes back when its lease is over."""
        await self._renewer.aclose()

    async def _lease(self, worker: bytes) -> Lease:
        if self._reasons is None:
            self._reasons = await self._store.work(lambda w: (w.reasons.number(HELD), w.reasons.number(POISON)))
        held, poison = self._reasons
        return Lease(worker=worker, length=self._times.length, now=self._clock.now(), held=held, poison=poison)

    async def _commit(self, writes: Sequence[Write]) -> list[Said]:
        now = self._clock.now()

        async def run(line: Line) -> list[Said]:
            tally = Tally(self._writing)
            said = await write_all(line, tally, writes, now, self._doubtful)
            await tally.settle(line)
            await finish(line, self._maybe_over(writes, said), now)
            return said

        try:
            said = await self._store.lines.run(run)
        except CommitUnknown:
            self._doubtful |= {write.key: write.token for write in writes}
            raise
        for write, word in zip(writes, said, strict=True):
            self._doubtful.pop(write.key, None)
            if word is Said.LOST or (word is Said.WRITTEN and write.state not in HOLDING):
                self._held.drop(write.key, write.token)
        return said

    def _maybe_over(self, writes: Sequence[Write], said: Sequence[Said]) -> set[int]:
        """Return the sessions whose last batch may have been settled here.

        Where another batch is certainly ours, there is one still open; whoever settles that one will ask again.
        """
        done = zip(writes, said, strict=True)
        let_go = {write.key for write, word in done if word is Said.WRITTEN and write.state not in HOLDING}
        sessions = {key.session for key in let_go}
        return sessions - self._held.certain(sessions, let_go, self._clock.monotonic() + _MARGIN)
