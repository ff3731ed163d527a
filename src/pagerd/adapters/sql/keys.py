"""The two tables of a key store, once, for both dialects, and what is asked of them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    delete,
    select,
)

from pagerd.adapters.sql.repos.rows import columns, struct, structs
from pagerd.ports.keys import WorkspaceKey, WrappedKey

KEY_TABLES: Final = MetaData()

_WORKSPACE_KEY = Table(
    "workspace_key",
    KEY_TABLES,
    Column("workspace", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("wrapped_index", LargeBinary, nullable=False),
    Column("created_at", Float(53), nullable=False),
    PrimaryKeyConstraint("workspace", "version"),
)
_SESSION_KEY = Table(
    "session_key",
    KEY_TABLES,
    Column("key_id", LargeBinary, primary_key=True),
    Column("workspace", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Float(53), nullable=False),
    sqlite_with_rowid=False,
)
Index("session_key_age", _SESSION_KEY.c.created_at)
_W = _WORKSPACE_KEY.c
_S = _SESSION_KEY.c


class SqlKeys:
    """What ``ports.keys.KeyStore`` asks for, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first."""
        query = select(_WORKSPACE_KEY).where(_W.workspace == workspace).order_by(_W.version)
        return structs(WorkspaceKey, self._db.execute(query))

    def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if that version is already there."""
        return self._added(_WORKSPACE_KEY, columns(_WORKSPACE_KEY, key))

    def put(self, key: WrappedKey) -> None:
        """Keep a session key; the same again is harmless."""
        self._added(_SESSION_KEY, columns(_SESSION_KEY, key))

    def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key, or ``None``."""
        row = self._db.execute(select(_SESSION_KEY).where(_S.key_id == key_id)).first()
        return None if row is None else struct(WrappedKey, row)

    def drop(self, key_id: bytes) -> None:
        """Delete a session key."""
        self._db.execute(delete(_SESSION_KEY).where(_S.key_id == key_id))

    def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``."""
        query = select(_S.key_id).where(_S.created_at < created_before, _S.key_id > after)
        return [bytes(key_id) for key_id in self._db.execute(query.order_by(_S.key_id).limit(limit)).scalars()]

    def _added(self, table: Table, values: dict[str, Any]) -> bool:
        return bool(self._db.execute(_insert(self._db)(table).values(values).on_conflict_do_nothing()).rowcount)


def _insert(db: Connection) -> Any:
    """Return the dialect's own ``INSERT``; the other dialect is not loaded for its sake."""
    if db.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert
    from sqlalchemy.dialects import postgresql

    return postgresql.insert
