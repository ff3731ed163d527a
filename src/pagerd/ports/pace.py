"""Pace: how fast a provider may be used, by all processes together."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many messages in so many seconds, at most ``burst`` of them at once."""

    messages: float
    seconds: float = 1.0
    burst: int = 1


class Pace(Protocol):
    """Counts what leaves against a rate (GCRA). Never faster in sum than asked, slower where it is in doubt."""

    async def take(self, key: str, rate: Rate, n: int) -> float:
        """Take ``n`` messages of ``key``'s rate; return 0 where they may leave now, else the seconds to wait.

        Nothing is taken where it says to wait. ``n`` above the burst is allowed once the whole burst is free.
        """
        ...

    async def ping(self) -> None:
        """Return when the rate is shared with the other processes; raise :class:`Unavailable` if not."""
        ...

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        ...
