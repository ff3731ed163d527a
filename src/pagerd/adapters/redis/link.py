"""The link to Redis: few connections, short waits, and after a failure a second of not asking again.

::

    asking ── a failure of the connection ──► resting ── 1 s ──► one asks ──► asking, or resting once more
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pagerd.adapters.redis.address import Address, address_of
from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.ports.time import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
PATIENCE: Final = 0.25
"""Seconds for a connection, and for an answer."""
REST: Final = 1.0
"""Seconds without a question after a failure."""
_CONNECTIONS: Final = 8


def opened(address: Address, **options: Any) -> Redis:
    """Return a client that speaks RESP3 and never tries again by itself; it connects when it is first asked.

    Raise :class:`Misconfigured` where the library is missing.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.maint_notifications import MaintNotificationsConfig
    except ImportError:
        raise Misconfigured(
            "Redis needs a library that is not installed", code="library_missing", remedy="pip install 'pagerd[redis]'"
        ) from None
    kind = SSLConnection if address.tls else UnixDomainSocketConnection if "path" in address.options else Connection
    usual = {"socket_timeout": PATIENCE, "max_connections": _CONNECTIONS, "timeout": PATIENCE}
    quiet: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "protocol": 3}
    if kind is not UnixDomainSocketConnection:
        quiet |= {"socket_connect_timeout": PATIENCE, "maint_notifications_config": MaintNotificationsConfig(False)}
    pool = BlockingConnectionPool(connection_class=kind, **(usual | quiet | address.options | options))
    return Redis.from_pool(pool)


class Link:
    """One installation's way to Redis: every key and topic begins with ``prefix``."""

    def __init__(self, url: str, prefix: str, clock: Clock, setting: str = "cache") -> None:
        """Call the URL ``setting`` in errors. Raise :class:`Misconfigured` for a URL that is none."""
        self.address = address_of(url, setting)
        self.prefix = prefix
        self.client = opened(self.address)
        self._clock = clock
        self._rest_until = 0.0
        self._failed = False

    @property
    def resting(self) -> bool:
        """Whether nothing is asked just now, because of a failure."""
        return self._failed and self._clock.monotonic() < self._rest_until

    async def ask(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        """Return Redis's answer; raise :class:`Unavailable`, at once while resting, or :class:`Broken`."""
        if self.resting:
            raise Unavailable(f"Redis could not be reached a moment ago ({self.address.shown})", code="redis_down")
        if self._failed:  # one asks; the others go on without
            self._rest_until = self._clock.monotonic() + REST
        return await self._asked(question)

    async def ping(self) -> None:
        """Return when Redis answers; raise :class:`Unavailable` or :class:`Misconfigured` if not."""
        await self._asked(lambda client: client.ping())

    async def aclose(self) -> None:
        """Close every connection; twice is harmless."""
        await self.client.aclose()

    async def _asked(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        from pagerd.adapters.redis.failures import KNOWN, translated

        try:
            answer = await question(self.client)
        except KNOWN as error:
            meaning = translated(error, self.address.shown)
            self._failed = meaning.code != "redis_error"  # which is an answer, after all
            self._rest_until = self._clock.monotonic() + REST
            raise meaning from error
        self._failed = False
        return answer
