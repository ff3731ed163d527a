"""Cache and bus within one process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Final

from pagerd.ports.time import Clock

_MOST: Final = 4_096
_UNHEARD: Final = 1_024


class MemoryCache:
    """Implements ``ports.cache.Cache``: at most ``most`` values, the one used longest ago goes first."""

    def __init__(self, clock: Clock, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        """Return a value; ``None`` where there is none, or it is too old."""
        value, until = self._kept.get(key, (None, 0.0))
        if value is None or self._clock.monotonic() >= until:
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds, replacing another."""
        self._kept[key] = (value, self._clock.monotonic() + ttl)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def drop(self, key: str) -> None:
        """Forget a value; one that is not there is harmless."""
        self._kept.pop(key, None)

    async def ping(self) -> None:
        """Return at once."""

    async def aclose(self) -> None:
        """Forget everything; twice is harmless."""
        self._kept.clear()


class MemoryBus:
    """Implements ``ports.cache.Bus``. Who listens too slowly loses hints, and is told so."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Queue[tuple[str, bytes]], frozenset[str]] = {}

    async def tell(self, topic: str, what: bytes) -> None:
        """Tell every listener of ``topic``."""
        for queue, topics in self._listeners.items():
            if topic in topics:
                _put(queue, (topic, what))

    async def listen(self, *topics: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (topic, what) as it is told, for ever; ``("", b"")`` says that hints may have been missed."""
        queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_UNHEARD)
        self._listeners[queue] = frozenset(topics)
        try:
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]

    async def aclose(self) -> None:
        """Do nothing: listeners are cancelled by those who started them."""


def _put(queue: asyncio.Queue[tuple[str, bytes]], hint: tuple[str, bytes]) -> None:
    """Add a hint; where nobody takes them, all become one gap."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(("", b""))
    queue.put_nowait(hint)
