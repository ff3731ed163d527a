"""Session keys in a database of their own: backed up apart, so that deleting a key also shreds old backups."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from pagerd.adapters.sql.failures import translated
from pagerd.adapters.sql.keys import KEY_TABLES, SqlKeys
from pagerd.adapters.sql.sqlite.connections import connect, core_over
from pagerd.ports.keys import WorkspaceKey, WrappedKey

T = TypeVar("T")


class SqliteKeyStore:
    """Implements ``ports.keys.KeyStore``; one thread, one commit a key, full durability."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pagerd-keys")
        with contextlib.suppress(OSError):  # the next line says what is wrong
            path.touch(mode=0o600)  # the log that SQLite keeps beside it gets the same rights
            path.chmod(0o600)
        self._raw = connect(path)
        self._raw.execute("PRAGMA wal_autocheckpoint = 1000")
        self._core = core_over(self._raw)
        KEY_TABLES.create_all(self._core)

    async def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first."""
        return await self._run(lambda core: SqlKeys(core).workspace_keys(workspace))

    async def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if that version is already there."""
        return await self._run(lambda core: SqlKeys(core).add_workspace_key(key))

    async def put(self, key: WrappedKey) -> None:
        """Keep a session key; the same again is harmless."""
        await self._run(lambda core: SqlKeys(core).put(key))

    async def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key; ``None`` when it was shredded or never was."""
        return await self._run(lambda core: SqlKeys(core).get(key_id))

    async def drop(self, key_id: bytes) -> None:
        """Shred a session key; one that is not there is harmless."""
        await self._run(lambda core: SqlKeys(core).drop(key_id))
        # The deleted page is overwritten (secure_delete); the log that still holds it is emptied here.
        await self._run(lambda core: core.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all())

    async def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``."""
        return await self._run(lambda core: SqlKeys(core).older_than(created_before, after, limit))

    async def ping(self) -> None:
        """Return when the store can be read."""
        await self._run(lambda core: core.exec_driver_sql("SELECT 1").all())

    async def aclose(self) -> None:
        """Close the file; twice is harmless."""
        await asyncio.to_thread(self._thread.shutdown)
        self._core.close()
        self._raw.close()

    async def _run(self, query: Callable[[Connection], T]) -> T:
        def run() -> T:
            try:
                return query(self._core)
            except Exception as error:
                known = translated(error)
                if known is error and not isinstance(error, sqlite3.Error):
                    raise
                raise known from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)
