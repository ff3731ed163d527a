"""Hints between processes, by Redis's publish and subscribe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from pagerd.adapters.redis.link import Link, opened
from pagerd.core.errors import PagerError

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
_SILENCE: Final = 10.0
"""After so many seconds without a word Redis is asked whether it is still there; after as many again it is not."""


class RedisBus:
    """Implements ``ports.cache.Bus``. Each listener has a connection of its own, that waits without a limit."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def tell(self, topic: str, what: bytes) -> None:
        """Tell every listener of ``topic``; nothing happens while Redis is away."""
        with contextlib.suppress(PagerError):
            await self._link.ask(lambda client: client.publish(self._channel(topic), what))

    async def listen(self, *topics: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (topic, what) as it is told, for ever; ``("", b"")`` after a time when hints may have been missed."""
        from pagerd.adapters.redis.failures import KNOWN

        names = {self._channel(topic).encode(): topic for topic in topics}
        wait, missed = _FIRST_WAIT, False
        while True:
            client = opened(self._link.address, socket_timeout=None, max_connections=1)
            try:
                async with client.pubsub() as ear:
                    await ear.subscribe(*names)
                    async for channel, what in _heard(ear):
                        if channel is None:  # subscribed
                            wait = _FIRST_WAIT
                            if missed:
                                yield "", b""
                        elif channel in names:
                            yield names[channel], what
            except KNOWN:
                missed = True
            finally:
                with contextlib.suppress(*KNOWN):
                    await client.aclose()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def aclose(self) -> None:
        """Do nothing: listeners are cancelled by those who started them, the link is closed by its owner."""

    def _channel(self, topic: str) -> str:
        return f"{self._link.prefix}bus:{topic}"


async def _heard(ear: PubSub) -> AsyncIterator[tuple[bytes | None, bytes]]:
    """Yield what comes, first ``(None, b"")`` once Redis listens to us; return when it has fallen silent."""
    asked = subscribed = False
    while True:
        message = await ear.get_message(timeout=_SILENCE)
        if message is None:
            if asked:
                return
            await ear.ping()
            asked = True
            continue
        asked = False
        if message["type"] == "message":
            yield message["channel"], message["data"]
        elif message["type"] == "subscribe" and not subscribed:
            subscribed = True
            yield None, b""
