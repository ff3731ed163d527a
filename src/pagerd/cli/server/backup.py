"""``pagerd backup``: a consistent copy of everything but the root key, taken while the server goes on.

::

    DIR/backup.json      what is in it: when, by which version, sizes, SHA-256
    DIR/data/pagerd.db   the database, marked so that whoever starts from it starts paused
    DIR/keys/keys.db     the sessions' keys, to be kept apart, and for 30 days at most
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

import msgspec

from pagerd import __version__
from pagerd.cli.server.beside import database_of
from pagerd.cli.server.migrating import revision_of
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured

MANIFEST: Final = "backup.json"
DATA: Final = "data/pagerd.db"
KEYS: Final = "keys/keys.db"


class Copied(msgspec.Struct, frozen=True):
    """A file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    made_at: float
    pagerd: str
    revision: str
    files: dict[str, Copied]


def backup(settings: Settings, folder: Path) -> str:
    """Write a backup into a new folder; return what to do with it. A server may go on meanwhile."""
    database = database_of(settings)
    keys = database.with_name("keys.db")
    if not keys.exists():
        raise Misconfigured(f"{keys} is not there: without it nobody can read the database", code="keys_missing")
    _make(folder)
    # The database first: whatever session it knows, its key is in the copy of the keys that is made after it.
    _copy(database, folder / DATA)
    _mark(folder / DATA)
    _copy(keys, folder / KEYS)
    files = {name: digest(folder / name) for name in (DATA, KEYS)}
    revision = revision_of(folder / DATA) or ""
    manifest = Manifest(made_at=time.time(), pagerd=__version__, revision=revision, files=files)
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return _words(folder, settings, files)


def _words(folder: Path, settings: Settings, files: dict[str, Copied]) -> str:
    return "\n".join(
        [
            f"{folder / DATA}   {files[DATA].bytes:,} bytes: the database. A server started from it begins paused.",
            f"{folder / KEYS}   {files[KEYS].bytes:,} bytes: the sessions' keys. Keep them apart, and for",
            f"    {settings.key_days:g} days at most: what was erased can be read as long as a copy of its key lives.",
            f"Not in it: the root key, {settings.root_key()}. Keep a copy in a safe place of its own: nobody can read",
            "    this backup without it.",
        ]
    )


def digest(path: Path) -> Copied:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        return Copied(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def sync(path: Path) -> None:
    """Make a file or folder survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise Misconfigured(
                f"{folder} is not empty: a backup is never written over anything", remedy="Name a folder that is new."
            )
        for name in ("data", "keys"):
            (folder / name).mkdir(mode=0o700)
    except OSError as error:
        raise Misconfigured(f"{folder} can't be made: {error.strerror}", code="backup_folder") from error


def _copy(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment (SQLite's online backup); writers go on."""
    from pagerd.adapters.sql.failures import translated
    from pagerd.adapters.sql.sqlite.connections import connect

    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    old, new = connect(source, read_only=True), sqlite3.connect(target)
    try:
        old.backup(new)
    except sqlite3.Error as error:
        raise translated(error) from error
    finally:
        new.close()
        old.close()
    sync(target)
    sync(target.parent)


def _mark(copy: Path) -> None:
    from pagerd.adapters.sql.sqlite.connections import connect, core_over
    from pagerd.adapters.sql.sqlite.epoch import mark_restored
    from pagerd.adapters.sql.work import SqlWork

    raw = connect(copy)
    core = core_over(raw)
    try:
        raw.execute("BEGIN IMMEDIATE")
        mark_restored(SqlWork(core))
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        core.close()
        raw.close()
    sync(copy)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
