"""A cache that all processes share."""

from __future__ import annotations

import contextlib
from typing import Final

from pagerd.adapters.redis.link import Link
from pagerd.core.errors import PagerError

_SHORTEST: Final = 0.001


class RedisCache:
    """Implements ``ports.cache.Cache``; several processes over one Redis share it. The link is closed by its owner."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, key: str) -> bytes | None:
        """Return a value; ``None`` where there is none, it is too old, or Redis is away."""
        try:
            value = await self._link.ask(lambda client: client.get(self._name(key)))
        except PagerError:
            return None
        return value if isinstance(value, bytes) else None

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds, replacing another; nothing happens while Redis is away."""
        if ttl < _SHORTEST:
            await self.drop(key)
            return
        with contextlib.suppress(PagerError):
            await self._link.ask(lambda client: client.set(self._name(key), value, px=int(ttl * 1000)))

    async def drop(self, key: str) -> None:
        """Forget a value; one that is not there is harmless."""
        with contextlib.suppress(PagerError):
            await self._link.ask(lambda client: client.delete(self._name(key)))

    async def ping(self) -> None:
        """Return when Redis answers; raise :class:`Unavailable` if not."""
        await self._link.ping()

    async def aclose(self) -> None:
        """Do nothing: the link is closed by its owner."""

    def _name(self, key: str) -> str:
        return f"{self._link.prefix}cache:{key}"
