"""A provider's rate: asks the shared pace for a turn, and lines up those who have to come back."""

from __future__ import annotations

import asyncio
from typing import Final

from pagerd.core.rates import Rate
from pagerd.ports.pace import Pace
from pagerd.ports.time import Clock

MOMENT: Final = 0.05
"""A wait so short is waited in place; for a longer one the batch is put off, and its lane does something else."""


class Pacing:
    """One bucket of a rate: a provider with its credential."""

    def __init__(self, pace: Pace, key: str, rate: Rate, clock: Clock) -> None:
        self.rate = rate
        self._pace = pace
        self._key = key
        self._clock = clock
        self._line_end = 0.0
        self._closed_until = 0.0
        self._closed_for = 0

    async def turn(self, n: int, *, urgent: bool) -> float:
        """Take ``n`` messages and return 0; or return for how many seconds their batch is to be put off.

        Batches that are put off stand in line, each as much later as the one before it needs, so that they don't all
        come back at once; urgent ones don't.
        """
        wait = await self._take(n)
        if 0.0 < wait <= MOMENT:
            await asyncio.sleep(wait)
            wait = await self._take(n)
        if wait <= 0.0 or urgent:
            return wait
        now = self._clock.monotonic()
        place = max(self._line_end, now + wait)
        self._line_end = place + n * self.rate.each
        return place - now

    async def _take(self, n: int) -> float:
        """Ask the pace, unless a refusal still holds: who asked for no more was told to come back later than now."""
        now = self._clock.monotonic()
        if now < self._closed_until and n >= self._closed_for:
            return self._closed_until - now
        wait = await self._pace.take(self._key, self.rate, n)
        if wait > 0.0:
            self._closed_until, self._closed_for = self._clock.monotonic() + wait, n
        return wait
