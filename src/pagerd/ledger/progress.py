"""Hints that a session moved, from the process that moved it to those whose clients watch it.

A hint carries a session's name and nothing else: whoever hears it looks at the counters, which are the truth. Whoever
hears none looks all the same, only later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import Final

from pagerd.ports.cache import Bus
from pagerd.ports.watch import BatchDone

_TOPIC: Final = "progress"
_EVERY: Final = 0.25


class Progress:
    """Implements ``ports.watch.Watch``: tells of sessions at most four times a second, and wakes who waits for one."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._moved: set[str] = set()
        self._news = asyncio.Event()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def batch_done(self, done: BatchDone) -> None:
        """Take note that a session moved."""
        self._moved.add(done.session)
        self._news.set()

    def claimed(self, batches: int) -> None:
        """Do nothing: a claim is no progress."""

    def trouble(self, what: str, error: BaseException) -> None:
        """Do nothing: others log it."""

    async def moved(self, session: str, seconds: float) -> None:
        """Return when a session has moved, after ``seconds`` at the latest."""
        event = asyncio.Event()
        self._waiting[session].add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting[session].discard(event)
            if not self._waiting[session]:
                del self._waiting[session]

    async def run(self) -> None:
        """Tell and listen until cancelled."""
        ear = asyncio.create_task(self._listen())
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                moved, self._moved = self._moved, set()
                self._wake(moved)
                await self._bus.tell(_TOPIC, "\n".join(sorted(moved)).encode())
                await asyncio.sleep(_EVERY)
        finally:
            ear.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ear

    async def _listen(self) -> None:
        async for topic, names in self._bus.listen(_TOPIC):
            missed = topic != _TOPIC
            self._wake(set(self._waiting) if missed else set(names.decode("utf-8", "replace").split("\n")))

    def _wake(self, sessions: set[str]) -> None:
        for session in sessions & self._waiting.keys():
            for event in self._waiting[session]:
                event.set()
