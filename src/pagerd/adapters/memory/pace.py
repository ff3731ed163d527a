"""Pace within one process."""

from __future__ import annotations

from collections import defaultdict

from pagerd.core.rates import Meter, Rate
from pagerd.ports.time import Clock


class MemoryPace:
    """Implements ``ports.pace.Pace`` for a process that sends alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: defaultdict[str, Meter] = defaultdict(Meter)

    async def take(self, key: str, rate: Rate, n: int) -> float:
        """Take ``n`` messages of ``key``'s rate; return 0 where they may leave now, else the seconds to wait."""
        return self._meters[key].take(self._clock.monotonic(), rate, n)

    async def ping(self) -> None:
        """Return: there is nobody to share with."""

    async def aclose(self) -> None:
        """Forget what was counted; twice is harmless."""
        self._meters.clear()
