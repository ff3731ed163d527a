"""What the database's own errors mean, by table."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

from pagerd.core.errors import Broken, PagerError, Unavailable

_BY_CODE: Final[dict[int, tuple[type[PagerError], str, str]]] = {
    sqlite3.SQLITE_FULL: (Unavailable, "disk_full", "the disk is full: nothing of this request was kept"),
    sqlite3.SQLITE_IOERR: (Unavailable, "disk_error", "the disk answered with an error: nothing of this was kept"),
    sqlite3.SQLITE_BUSY: (Unavailable, "store_busy", "the store is busy"),
    sqlite3.SQLITE_LOCKED: (Unavailable, "store_busy", "the store is busy"),
    sqlite3.SQLITE_READONLY: (Unavailable, "store_read_only", "the store can't be written"),
    sqlite3.SQLITE_CANTOPEN: (Broken, "store_not_openable", "the database file can't be opened"),
    sqlite3.SQLITE_CORRUPT: (Broken, "store_corrupt", "the database file is damaged: restore a backup"),
    sqlite3.SQLITE_NOTADB: (Broken, "store_not_a_database", "the file is not a database of Pager's"),
}


def translated(error: Exception) -> Exception:
    """Return Pager's error for a driver's; anything that is not a known failure of the world is returned as it is."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, sqlite3.Error):
        # Extended codes carry the primary one in their low byte (sqlite.org/rescode.html).
        primary = getattr(origin, "sqlite_errorcode", 0) & 0xFF
        if primary in _BY_CODE:
            kind, code, words = _BY_CODE[primary]
            return kind(words, code=code)
    return error
