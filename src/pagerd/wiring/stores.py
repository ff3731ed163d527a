"""Where everything is kept: the store, the keys, and the ledger over it, as the setting ``store`` says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

import msgspec

from pagerd.adapters.sql.keystore import SqliteKeyStore
from pagerd.adapters.sql.sqlite.epoch import Epoch
from pagerd.adapters.sql.sqlite.ledger import LeaseTimes, SqliteLedger
from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated
from pagerd.adapters.system.lock import DirectoryLock
from pagerd.config import Settings
from pagerd.ports.keys import KeyStore
from pagerd.ports.ledger import Ledger
from pagerd.ports.store import Store
from pagerd.ports.time import Clock
from pagerd.wiring.workspace import WORKSPACE


class OpenStore(Store, Protocol):
    """A store that can be closed."""

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        ...


class OpenKeyStore(KeyStore, Protocol):
    """A key store that can be closed."""

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        ...


class OpenLedger(Ledger, Protocol):
    """A ledger that can be closed."""

    async def aclose(self) -> None:
        """End the renewals of leases; twice is harmless."""
        ...


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a process stands on.

    ``begin`` tells whether the store was restored, after doing what that asks for; ``only_process`` tells that no
    other process has this store; ``sqlite`` is the store where it is a file; ``maintain`` is to be done about hourly,
    given the time (UTC epoch seconds), by any of several processes.
    """

    store: OpenStore
    keystore: OpenKeyStore
    ledger: Callable[[Clock, bytes], OpenLedger]
    begin: Callable[[Callable[[Store], Awaitable[object]]], Awaitable[bool]]
    only_process: bool
    sqlite: SqliteStore | None = None
    maintain: Callable[[float], Awaitable[object]] | None = None


async def open_kept(settings: Settings, stack: AsyncExitStack) -> Kept:
    """Return what the setting ``store`` names, migrated and open; ``stack`` closes it."""
    kept = await (_postgres(settings) if settings.on_postgres else _sqlite(settings, stack))
    stack.push_async_callback(kept.store.aclose)
    stack.push_async_callback(kept.keystore.aclose)
    return kept


def _times(settings: Settings) -> LeaseTimes:
    return LeaseTimes(length=settings.worker.lease, renew=settings.worker.renew)


async def _sqlite(settings: Settings, stack: AsyncExitStack) -> Kept:
    database = settings.database()
    lock = DirectoryLock(database.parent.absolute())
    stack.callback(lock.release)
    migrated(database)
    store = SqliteStore(database)
    return Kept(
        store=store,
        keystore=SqliteKeyStore(database.with_name("keys.db")),
        ledger=lambda clock, worker: SqliteLedger(store, clock, worker, _times(settings)),
        begin=lambda if_restored: Epoch(database).begin(store, if_restored),
        only_process=True,
        sqlite=store,
    )


async def _postgres(settings: Settings) -> Kept:
    from pagerd.adapters.sql.postgres.epoch import PostgresEpoch
    from pagerd.adapters.sql.postgres.keystore import PostgresKeyStore
    from pagerd.adapters.sql.postgres.ledger import PostgresLedger
    from pagerd.adapters.sql.postgres.partitions import keep_partitions
    from pagerd.adapters.sql.postgres.shape import migrated as brought_up
    from pagerd.adapters.sql.postgres.store import PostgresStore

    direct = settings.store_direct or None
    keystore = PostgresKeyStore(settings.key_database())
    await keystore.made()
    await brought_up(settings.store, direct=direct)
    store = PostgresStore(settings.store, direct=direct, workspace=WORKSPACE)
    return Kept(
        store=store,
        keystore=keystore,
        ledger=lambda clock, worker: PostgresLedger(store, clock, worker, _times(settings)),
        begin=lambda if_restored: PostgresEpoch().begin(store, if_restored),
        only_process=False,
        maintain=lambda now: keep_partitions(store.direct, now),
    )
