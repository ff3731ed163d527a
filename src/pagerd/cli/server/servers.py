"""``pagerd check`` of the servers that processes share: PostgreSQL, Kafka, Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pagerd.cli.server.looking import looked
from pagerd.config import Settings, secret
from pagerd.core.errors import Misconfigured
from pagerd.health.checks import Check

if TYPE_CHECKING:
    from pagerd.seal.hierarchy import Seal

Look = Callable[[], Awaitable[str]]


async def stores(settings: Settings) -> list[Check]:
    """Return what was found of store and key store."""
    found = [
        await looked("store", _store(settings), "Look at the server's own log."),
        await looked("key store", _keys(settings), "Restore it from its own backup."),
    ]
    if all(one.ok for one in found):
        found.append(await looked("keys", _opens(settings), "Put the installation's root key there."))
    return found


async def between(settings: Settings) -> list[Check]:
    """Return what was found of queue and cache, those that are servers."""
    found = []
    if settings.queue != "store":
        found.append(await looked("queue", _queue(settings), "Look at the broker's own log."))
    if settings.cache != "memory":
        found.append(await looked("cache", _cache(settings), "Look at the log of Redis."))
    return found


async def seal(settings: Settings) -> Seal:
    """Return the seal; raise where the root key does not open it."""
    from pagerd.adapters.files.ring import FileKeyRing
    from pagerd.adapters.sql.postgres.keystore import PostgresKeyStore
    from pagerd.adapters.system.time import SystemClock
    from pagerd.seal.hierarchy import Seal
    from pagerd.wiring.workspace import WORKSPACE

    store = PostgresKeyStore(settings.key_database())
    try:
        return await Seal.open(FileKeyRing(settings.root_key()), store, SystemClock(), WORKSPACE)
    finally:
        await store.aclose()


def _store(settings: Settings) -> Look:
    async def look() -> str:
        from pagerd.adapters.sql.migrate import HEAD
        from pagerd.adapters.sql.postgres.shape import serves
        from pagerd.adapters.sql.postgres.store import PostgresStore
        from pagerd.cli.server.shared import revision_of

        store = PostgresStore(settings.store, direct=settings.store_direct or None)
        try:
            await serves(store.at)
            if settings.store_direct:
                await serves(store.direct)
            found = await revision_of(store)
        finally:
            await store.aclose()
        if found is not None and found > HEAD:
            raise Misconfigured(
                f"the database is of a newer version of Pager (revision {found}; this program knows {HEAD})",
                remedy="Install the version of pagerd that wrote it.",
            )
        older = "" if found == HEAD else f"; the next start, or `pagerd migrate`, brings it to {HEAD}"
        return f"{store.at.shown}, revision {found or 'none'}{older}"

    return look


def _keys(settings: Settings) -> Look:
    async def look() -> str:
        from pagerd.adapters.sql.postgres.address import address
        from pagerd.adapters.sql.postgres.shape import serves

        at = address(settings.key_database(), "key_store")
        await serves(at)
        if at.dsn == address(settings.store).dsn:
            raise Misconfigured(
                "key_store is the same database as store: whoever has a copy of one has the keys with it",
                remedy="Make a database of its own for the keys, and back it up apart.",
            )
        return at.shown

    return look


def _opens(settings: Settings) -> Look:
    async def look() -> str:
        from pagerd.adapters.files.ring import FileKeyRing

        await FileKeyRing(settings.root_key()).ping()
        await seal(settings)
        return f"{settings.root_key()} opens what was sealed"

    return look


def _queue(settings: Settings) -> Look:
    async def look() -> str:
        from pagerd.adapters.kafka.settings import parsed
        from pagerd.adapters.kafka.topics import examined

        return await examined(parsed(settings.queue, secret))

    return look


def _cache(settings: Settings) -> Look:
    async def look() -> str:
        from pagerd.adapters.redis.address import address_of
        from pagerd.adapters.redis.check import examined
        from pagerd.adapters.system.time import SystemClock

        warnings = await examined(settings.cache, "pagerd:check:", SystemClock())
        return "; ".join([address_of(settings.cache, "cache").shown, *warnings])

    return look
