"""The intake: brings the desk what the queue carries, and lets the queue forget it once a lane has ended.

The database stays the truth: a record is only a hint that carries its batch along. One whose batch can't be claimed
(it came twice, its session is paused or over) is acknowledged unclaimed; what the queue loses is found in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pagerd.core.batches import BatchKey, Claim
from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.ledger import Want
from pagerd.ports.queue import Delivery, Queue, Undecodable
from pagerd.ports.store import QuarantineRow, Store
from pagerd.worker.lane import Tools

_LOOK_EVERY: Final = 0.25
_LOST_AFTER: Final = 30.0
"""Seconds after which a published batch that nobody claimed is looked after, where no record waits ..."""
_LOST_BEHIND: Final = 300.0
"""... and where some do: it may only stand behind them."""
_TROUBLE_WAIT: Final = 1.0


class Intake:
    """Holds up to ``lanes`` records of each priority for a desk."""

    def __init__(self, tools: Tools, queue: Queue, store: Store, worker: bytes, lanes: int) -> None:
        self._t = tools
        self._queue = queue
        self._store = store
        self._worker = worker
        self._lanes = lanes
        self._hands: dict[Priority, deque[Delivery]] = {priority: deque() for priority in Priority}
        self._room = {priority: asyncio.Event() for priority in Priority}
        self._handles: dict[BatchKey, Any] = {}
        self._look_at = 0.0
        self._trouble = ""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to take; ``wake`` is called when something came."""
        self._tasks = [asyncio.create_task(self._fetch(priority, wake)) for priority in Priority]

    async def stop(self) -> None:
        """Take nothing more. What no lane has begun comes to another worker; what lanes have is acknowledged still."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def claim(self, wants: Sequence[Want]) -> list[Claim]:
        """Return claims for ``wants``: what is due in the ledger now and then, and what the queue brought."""
        claims: list[Claim] = []
        now = self._t.clock.monotonic()
        if now >= self._look_at or not any(self._hands[want.priority] for want in wants if not want.alone):
            self._look_at = now + _LOOK_EVERY
            claims += await self._t.ledger.claim(self._worker, [self._leftover(want) for want in wants])
        brought: list[Delivery] = []
        for want in wants:
            if not want.alone:
                brought += self._taken(want.priority, want.batches - len(claims) - len(brought))
        return claims + await self._claimed(brought)

    def ended(self, claim: Claim) -> None:
        """Let the queue forget a batch whose lane has ended: it is settled, or the ledger knows when it is due."""
        handle = self._handles.pop(claim.key, None)
        if handle is not None:
            self._queue.ack(handle)

    def _leftover(self, want: Want) -> Want:
        patience = _LOST_BEHIND if self._hands[want.priority] else _LOST_AFTER
        return msgspec.structs.replace(want, fresh=False, published_before=self._t.clock.now() - patience)

    def _taken(self, priority: Priority, n: int) -> list[Delivery]:
        hand = self._hands[priority]
        found = [hand.popleft() for _ in range(min(n, len(hand)))]
        if found:
            self._room[priority].set()
        return found

    async def _claimed(self, brought: Sequence[Delivery]) -> list[Claim]:
        if not brought:
            return []
        self._t.failpoint("K4")
        try:
            claims = await self._t.ledger.take(self._worker, [delivery.arrival for delivery in brought])
        except BaseException:
            for delivery in reversed(brought):
                self._hands[delivery.priority].appendleft(delivery)
            raise
        for delivery, claim in zip(brought, claims, strict=True):
            if claim is None:
                self._queue.ack(delivery.handle)
            else:
                self._handles[claim.key] = delivery.handle
        return [claim for claim in claims if claim is not None]

    async def _fetch(self, priority: Priority, wake: Callable[[], None]) -> None:
        """Keep one hand full; whatever goes wrong, go on."""
        hand, room = self._hands[priority], self._room[priority]
        while True:
            try:
                taken = await self._queue.take(priority, self._lanes - len(hand))
                hand.extend(one for one in taken if isinstance(one, Delivery))
                self._trouble = ""
            except Exception as error:  # noqa: BLE001 - a worker that takes nothing more would look alive
                self._tell(error)
                await asyncio.sleep(_TROUBLE_WAIT)
                continue
            wake()
            for one in taken:
                if isinstance(one, Undecodable):
                    await self._quarantined(one)
            while len(hand) >= self._lanes:
                room.clear()
                await room.wait()

    async def _quarantined(self, bad: Undecodable) -> None:
        """Keep a record that can't be read, as it came, and only then let the queue forget it."""
        self._t.watch.trouble("a record of the queue can't be read; it is in quarantine", ValueError(bad.reason))
        row = QuarantineRow(
            topic=bad.topic,
            partition=bad.partition,
            position=bad.offset,
            headers=bad.headers,
            raw=bad.raw,
            reason=bad.reason,
            taken_at=self._t.clock.now(),
        )
        while True:
            try:
                await self._store.work(lambda work: work.quarantine.add(row))
            except Unavailable as error:
                self._tell(error)
                await asyncio.sleep(_TROUBLE_WAIT)
            else:
                break
        self._queue.ack(bad.handle)

    def _tell(self, error: Exception) -> None:
        kind = getattr(error, "code", type(error).__name__)
        if kind != self._trouble:
            self._trouble = kind
            self._t.watch.trouble("nothing can be taken from the queue", error)
