"""Session keys in a database file of their own: backed up apart, so that deleting a key also shreds old backups."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pagerd.adapters.sql.failures import translated
from pagerd.adapters.sql.sqlite.connections import connect
from pagerd.ports.keys import WorkspaceKey, WrappedKey

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS workspace_key (
    workspace INTEGER NOT NULL, version INTEGER NOT NULL, wrapped BLOB NOT NULL, wrapped_index BLOB NOT NULL,
    created_at REAL NOT NULL, PRIMARY KEY (workspace, version));
CREATE TABLE IF NOT EXISTS session_key (
    key_id BLOB PRIMARY KEY, workspace INTEGER NOT NULL, version INTEGER NOT NULL, wrapped BLOB NOT NULL,
    created_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_key_age ON session_key (created_at);
"""


class SqliteKeyStore:
    """Implements ``ports.keys.KeyStore``; one thread, one commit a key, full durability."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pagerd-keys")
        with contextlib.suppress(OSError):  # the next line says what is wrong
            path.touch(mode=0o600)  # the log that SQLite keeps beside it gets the same rights
            path.chmod(0o600)
        self._raw = connect(path)
        self._raw.execute("PRAGMA wal_autocheckpoint = 1000")
        self._raw.executescript(_TABLES)

    async def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first."""
        query = "SELECT * FROM workspace_key WHERE workspace = ? ORDER BY version"
        rows = await self._run(lambda raw: raw.execute(query, (workspace,)).fetchall())
        return [
            WorkspaceKey(workspace=w, version=v, wrapped=wrapped, wrapped_index=index, created_at=created)
            for w, v, wrapped, index, created in rows
        ]

    async def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if that version is already there."""
        row = (key.workspace, key.version, key.wrapped, key.wrapped_index, key.created_at)
        statement = "INSERT OR IGNORE INTO workspace_key VALUES (?, ?, ?, ?, ?)"
        return bool(await self._run(lambda raw: raw.execute(statement, row).rowcount))

    async def put(self, key: WrappedKey) -> None:
        """Keep a session key; the same again is harmless."""
        row = (key.key_id, key.workspace, key.version, key.wrapped, key.created_at)
        await self._run(lambda raw: raw.execute("INSERT OR IGNORE INTO session_key VALUES (?, ?, ?, ?, ?)", row))

    async def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key; ``None`` when it was shredded or never was."""
        query = "SELECT * FROM session_key WHERE key_id = ?"
        row = await self._run(lambda raw: raw.execute(query, (key_id,)).fetchone())
        if row is None:
            return None
        return WrappedKey(key_id=row[0], workspace=row[1], version=row[2], wrapped=row[3], created_at=row[4])

    async def drop(self, key_id: bytes) -> None:
        """Shred a session key; one that is not there is harmless."""
        await self._run(lambda raw: raw.execute("DELETE FROM session_key WHERE key_id = ?", (key_id,)))
        # The deleted page is overwritten (secure_delete); the log that still holds it is emptied here.
        await self._run(lambda raw: raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``."""
        query = "SELECT key_id FROM session_key WHERE created_at < ? AND key_id > ? ORDER BY key_id LIMIT ?"
        rows = await self._run(lambda raw: raw.execute(query, (created_before, after, limit)).fetchall())
        return [bytes(row[0]) for row in rows]

    async def ping(self) -> None:
        """Return when the store can be read."""
        await self._run(lambda raw: raw.execute("SELECT 1").fetchone())

    async def aclose(self) -> None:
        """Close the file; twice is harmless."""
        await asyncio.to_thread(self._thread.shutdown)
        self._raw.close()

    async def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            try:
                return query(self._raw)
            except sqlite3.Error as error:
                raise translated(error) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)
