"""A cache shared by processes, and the bus by which they tell one another that something changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class Cache(Protocol):
    """Short-lived copies of what the store has. Losing it costs time, never truth: no method raises for a lost peer."""

    async def get(self, key: str) -> bytes | None:
        """Return a value; ``None`` where there is none, it is too old, or the cache is away."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds, replacing another; nothing happens while the cache is away."""
        ...

    async def drop(self, key: str) -> None:
        """Forget a value; one that is not there is harmless."""
        ...

    async def ping(self) -> None:
        """Return when the cache answers; raise :class:`Unavailable` if not."""
        ...

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        ...


class Bus(Protocol):
    """Hints between processes: at most once, in no order. Whoever listens must live with a hint that never came."""

    async def tell(self, topic: str, what: bytes) -> None:
        """Tell every listener of ``topic``; nothing happens while the bus is away."""
        ...

    def listen(self, *topics: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (topic, what) as it is told, for ever; ``("", b"")`` says that hints may have been missed."""
        ...

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        ...
