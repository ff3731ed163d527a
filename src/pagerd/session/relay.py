"""The relay: hands fresh batches to the queue, sessions in turn, urgent ones first, and remembers how far it came.

It publishes, then moves the cursor: killed in between, it publishes twice, and the claim takes a batch once. With the
broker away nothing moves and nothing is lost: admission goes on, and the relay goes on when the broker is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.core.errors import PagerError
from pagerd.core.policy import Priority
from pagerd.ports.failpoints import Failpoint
from pagerd.ports.ledger import Ledger
from pagerd.ports.queue import Queue
from pagerd.ports.store import Store, Work
from pagerd.ports.time import Chance, Clock
from pagerd.ports.watch import Watch
from pagerd.session.spans import Ahead, Span, fresh_spans
from pagerd.session.turns import Turn

_AT_ONCE: Final = 128
"""So many batches are published together, and written down in one transaction."""
_SOON: Final = 0.05
_IDLE: Final = 1.0
_FIRST_BACKOFF: Final = 0.25
_LONGEST_BACKOFF: Final = 5.0


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay works with."""

    store: Store
    ledger: Ledger
    queue: Queue
    clock: Clock
    chance: Chance
    watch: Watch
    failpoint: Failpoint


class Relay:
    """Runs beside the workers of a process; of several over one store, one at a time relays."""

    def __init__(self, means: Means, turn: Turn | None = None) -> None:
        """``turn`` is shared with the relays of other processes; ``None``: there is no other."""
        self._m = means
        self._turn = turn
        self._ahead = Ahead()
        self._served = dict.fromkeys(Priority, 0)
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._failures = 0
        self._trouble = ""

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        """End, and let another process relay at once; twice is harmless."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._tasks and self._turn is not None:
            with contextlib.suppress(PagerError):
                await self._turn.end()
        self._tasks = []

    async def _listen(self) -> None:
        while True:
            await self._m.ledger.changed()
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait = await self.pulse()
                self._failures, self._trouble = 0, ""
            except Exception as error:  # noqa: BLE001 - the relay must not end for one session, or for a broker
                wait = self._backoff(error)
            if wait:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()

    def _backoff(self, error: Exception) -> float:
        """Say once what is wrong; return how long to leave the broker alone."""
        kind = getattr(error, "code", type(error).__name__)
        if kind != self._trouble:
            self._trouble = kind
            self._m.watch.trouble("batches can't be published; nothing is lost, they wait", error)
        longest = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._wake.clear()  # whatever is admitted meanwhile does not bring the broker back
        return self._m.chance.uniform(longest / 2, longest)

    async def pulse(self) -> float:
        """Publish some batches of each session in turn; return for how many seconds there is nothing more to do."""
        waits = [await self._relay(priority) for priority in (Priority.URGENT, Priority.BULK)]
        return min(waits)

    async def _relay(self, priority: Priority) -> float:
        after, now = self._served[priority], self._m.clock.now()
        known = self._ahead.known()

        def look(work: Work) -> list[Span]:
            return fresh_spans(work, priority, after, now, _AT_ONCE, known)

        spans = await self._m.store.read(look)
        if not spans:
            return _IDLE
        if self._turn is not None and not await self._turn.mine():
            return _IDLE
        self._served[priority] = spans[-1].session
        if not any(span.numbers for span in spans):  # all of them are far enough ahead
            return _SOON
        await self._publish(spans)
        return 0.0

    async def _publish(self, spans: Sequence[Span]) -> None:
        self._m.failpoint("K2")
        parcels = [parcel for span in spans for parcel in span.parcels]
        taken = dict(
            zip((p.arrival.key for p in parcels), await self._m.queue.publish(parcels) if parcels else [], strict=True)
        )
        self._m.failpoint("K3")
        now = self._m.clock.now()
        rows = [row for span in spans for row in span.rows(taken, now)]
        cursors = [(span.session, span.end) for span in spans if span.numbers]

        def change(work: Work) -> None:
            work.batches.publish(rows)
            work.sessions.advance(cursors, now)

        await self._m.store.work(change)
        for span in spans:
            self._ahead.published(span)
