"""Open SQLite so that what was acknowledged survives a power loss, and readers never wait."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from pagerd.core.errors import Misconfigured

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit returns after its fsync: the 2xx stands on it
    "PRAGMA wal_autocheckpoint = 0",  # checkpoints run off the writer
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = ON",  # what is erased leaves the file, not only the index
)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode: transactions begin and end by explicit statements only."""
    try:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        if not read_only:
            raw.execute("PRAGMA page_size = 8192")  # only an empty file takes it
        for pragma in _PRAGMAS:
            raw.execute(pragma)
        if read_only:
            raw.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        raise Misconfigured(
            f"{path} can't be opened as a database: {error}",
            code="store_not_openable",
            remedy="Check that the file and its folder belong to the user who runs pagerd, and that it is Pager's.",
        ) from error
    return raw


def core_over(raw: sqlite3.Connection) -> Connection:
    """Return SQLAlchemy Core over this very connection; it must never commit or roll back by itself."""
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None)
    return engine.connect()
