"""Time and chance in a test's hand."""

from __future__ import annotations

import asyncio
import heapq
import random
from itertools import count


class HandClock:
    """Two clocks that stand still until they are moved."""

    def __init__(self, now: float = 1_800_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._order = count()
        self._waiters: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that only :meth:`advance` moves."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward and wake whoever waited for that."""
        if seconds < 0:
            raise ValueError("time does not go back; `step` moves the wall clock alone")
        self._now += seconds
        self._monotonic += seconds
        while self._waiters and self._waiters[0][0] <= self._monotonic:
            waiter = heapq.heappop(self._waiters)[2]
            if not waiter.done():
                waiter.set_result(None)

    def step(self, seconds: float) -> None:
        """Set the wall clock alone forward or back, as a time server does; nobody wakes."""
        self._now += seconds

    async def until(self, monotonic: float) -> None:
        """Return once the monotonic clock was moved to that time or past it."""
        if monotonic <= self._monotonic:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (monotonic, next(self._order), waiter))
        await waiter

    @property
    def waiting(self) -> int:
        """How many wait for the clock to move."""
        return sum(not waiter.done() for _, _, waiter in self._waiters)


class FixedChance:
    """Chance that a seed decides; identifiers are UUIDv7 (RFC 9562, section 5.7) with a counter in ``rand_a``."""

    def __init__(self, clock: HandClock, seed: int = 0) -> None:
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311  the point is that it can be repeated
        self._last = 0

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``."""
        return self._random.uniform(low, high)

    def new_id(self) -> bytes:
        """Return the 16 bytes of a UUIDv7; later ones sort after earlier ones, also when the clock stands still."""
        self._last = max(self._last + 1, int(self._clock.now() * 1000) << 12)
        millis, counter = self._last >> 12, self._last & 0xFFF
        number = millis << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | self._random.getrandbits(62)
        return number.to_bytes(16, "big")
