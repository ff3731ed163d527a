"""Pace: how fast a provider may be used, by all processes together."""

from __future__ import annotations

from typing import Protocol

from pagerd.core.rates import Rate


class Pace(Protocol):
    """Counts what leaves against a rate (GCRA). Never faster in sum than asked, slower where it is in doubt."""

    async def take(self, key: str, rate: Rate, n: int) -> float:
        """Take ``n`` messages of ``key``'s rate; return 0 where they may leave now, else the seconds to wait.

        Nothing is taken where it says to wait. ``n`` above the burst is allowed once the whole burst is free.
        Never raises: where the other processes can't be asked, this one keeps to a share that is its own.
        """
        ...

    async def ping(self) -> None:
        """Return when the rate is shared with the other processes; raise :class:`Unavailable` if not."""
        ...

    async def aclose(self) -> None:
        """Close, and leave one's share to the others; twice is harmless."""
        ...
