"""``pagerd restore``: a backup becomes the data directory; the next start pauses what was unfinished."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import msgspec

from pagerd.cli.server.backup import DATA, KEYS, MANIFEST, Manifest, digest, sync
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured, SealBroken


def restore(settings: Settings, folder: Path, keys: Path | None, *, replace: bool) -> str:
    """Put a backup in place; return what comes next. Nothing that is there is removed: it is put aside.

    Raise :class:`Misconfigured` for a backup that is damaged, incomplete, or of a newer version, for a directory that
    a server holds or that has data (unless ``replace``), and where the root key does not open the backup.
    """
    from pagerd.adapters.system.lock import DirectoryLock

    sources = _checked(folder, keys)
    database = settings.database()
    lock = DirectoryLock(database.parent.absolute())
    try:
        if database.exists() and not replace:
            raise Misconfigured(
                f"there is a database already: {database}",
                code="data_in_place",
                remedy="Restore into another directory (--data), or put the old one aside with --replace.",
            )
        keystore = database.with_name("keys.db")
        laid = {keystore: _laid(sources[KEYS], keystore), database: _laid(sources[DATA], database)}
        words = _root_key(settings, laid[keystore])
        aside = [_put_aside(path) for path in laid if path.exists()]
        for path, fresh in laid.items():
            fresh.replace(path)
        sync(database.parent)
    finally:
        lock.release()
    return "\n".join([*aside, f"{database} is restored.", *words, _NEXT])


_NEXT = (
    "At its next start the server pauses every unfinished session: what it thinks is to be sent may have been sent "
    "after the backup was made. Look (pagerctl sessions list), then resume or cancel each."
)


def _checked(folder: Path, keys: Path | None) -> dict[str, Path]:
    """Return the files of a backup, proved to be what was written."""
    from pagerd.adapters.sql.migrate import HEAD

    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise Misconfigured(
            f"{folder} is no backup of Pager's: {MANIFEST} is missing or damaged", code="not_a_backup"
        ) from error
    if manifest.revision > HEAD:
        raise Misconfigured(
            f"the backup is of a newer version of Pager ({manifest.pagerd}, revision {manifest.revision})",
            code="database_newer",
            remedy="Install that version of pagerd.",
        )
    sources = {DATA: folder / DATA, KEYS: keys or folder / KEYS}
    for name, path in sources.items():
        if not path.is_file():
            remedy = "Fetch it from where the keys are kept, and name it: --keys FILE." if name == KEYS else ""
            raise Misconfigured(f"{path} is missing", code="backup_incomplete", remedy=remedy)
        named = name == KEYS and keys is not None  # a later copy of the keys is as good: it may hold fewer
        if not named and digest(path) != manifest.files.get(name):
            raise Misconfigured(f"{path} is not what was backed up: its SHA-256 is another", code="backup_damaged")
    return sources


def _laid(source: Path, target: Path) -> Path:
    """Copy a file beside its place; return the copy."""
    laid = target.with_name(target.name + ".restoring")
    try:
        laid.unlink(missing_ok=True)
        laid.touch(mode=0o600)
        shutil.copyfile(source, laid)
    except OSError as error:
        laid.unlink(missing_ok=True)
        raise Misconfigured(f"{target} can't be written: {error.strerror}", code="data_directory") from error
    sync(laid)
    return laid


def _root_key(settings: Settings, keys: Path) -> list[str]:
    """Return what is to be said about the root key; raise where it is another than the backup's."""
    from pagerd.adapters.files.ring import FileKeyRing
    from pagerd.adapters.sql.keystore import SqliteKeyStore
    from pagerd.adapters.system.time import SystemClock
    from pagerd.seal.hierarchy import Seal
    from pagerd.wiring.workspace import WORKSPACE

    if not settings.root_key().exists():
        return [f"The root key is not part of a backup: put yours to {settings.root_key()} before the start."]

    async def look() -> None:
        store = SqliteKeyStore(keys)
        try:
            await Seal.open(FileKeyRing(settings.root_key()), store, SystemClock(), WORKSPACE)
        finally:
            await store.aclose()

    try:
        asyncio.run(look())
    except SealBroken as error:
        raise Misconfigured(
            f"the root key {settings.root_key()} does not open this backup: {error.detail}",
            code="key_file_wrong",
            remedy="Put the root key of the installation that was backed up there.",
        ) from error
    return []


def _put_aside(path: Path) -> str:
    """Rename a database with its log; return words about it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(path.with_name(f"{path.name}.{stamp}{suffix}"))
    return f"{path.name} was put aside as {path.name}.{stamp}."
