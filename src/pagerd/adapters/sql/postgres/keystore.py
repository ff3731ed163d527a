"""Session keys in a PostgreSQL database of their own.

A deleted row is gone for every query at once; its bytes leave the disk with the next vacuum, the log with its
recycling, and backups with their age: that is the horizon of an erasure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection

from pagerd.adapters.sql.keys import KEY_TABLES, SqlKeys
from pagerd.adapters.sql.postgres.address import address
from pagerd.adapters.sql.postgres.lines import drivers
from pagerd.adapters.sql.postgres.shape import serves
from pagerd.adapters.sql.postgres.transactions import Transactions
from pagerd.ports.keys import WorkspaceKey, WrappedKey

T = TypeVar("T")

_LOCK: Final = 0x7061676573
_BEGIN: Final = "BEGIN"
_LOOK: Final = "BEGIN READ ONLY"


class PostgresKeyStore:
    """Implements ``ports.keys.KeyStore``; :meth:`made` must have run before."""

    def __init__(self, url: str) -> None:
        drivers()
        self._at = address(url, "key_store")
        self._transactions = Transactions(self._at)

    async def made(self) -> None:
        """Make the tables where they are missing; raise what is wrong with the address or the server."""
        await serves(self._at)

        def make(core: Connection) -> None:
            core.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            KEY_TABLES.create_all(core)

        await self._transactions.run(_BEGIN, make)

    async def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first."""
        return await self._look(lambda keys: keys.workspace_keys(workspace))

    async def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if that version is already there."""
        return await self._change(lambda keys: keys.add_workspace_key(key))

    async def put(self, key: WrappedKey) -> None:
        """Keep a session key; the same again is harmless."""
        await self._change(lambda keys: keys.put(key))

    async def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key; ``None`` when it was shredded or never was."""
        return await self._look(lambda keys: keys.get(key_id))

    async def drop(self, key_id: bytes) -> None:
        """Shred a session key; one that is not there is harmless."""
        await self._change(lambda keys: keys.drop(key_id))

    async def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``."""
        return await self._look(lambda keys: keys.older_than(created_before, after, limit))

    async def ping(self) -> None:
        """Return when the store can be read."""
        await self._transactions.run(_LOOK, lambda core: core.exec_driver_sql("SELECT 1").all())

    async def aclose(self) -> None:
        """Hang up; twice is harmless."""
        await self._transactions.aclose()

    async def _change(self, change: Callable[[SqlKeys], T]) -> T:
        return await self._transactions.run(_BEGIN, lambda core: change(SqlKeys(core)))

    async def _look(self, look: Callable[[SqlKeys], T]) -> T:
        return await self._transactions.run(_LOOK, lambda core: look(SqlKeys(core)))
