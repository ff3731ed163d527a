"""What commands do beside a server: where its data is, who uses it, and a store for short transactions of their own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pagerd import config
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured

if TYPE_CHECKING:
    from pagerd.cli.server.shared import BesideOthers

T = TypeVar("T")

DEVELOPMENT: Final = Path(".pagerd")


def located(file: Path | None, data: Path | None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings with the data directory that a command is about.

    ``data`` decides; else what the settings say; and where nobody says anything, ``./.pagerd`` of ``pagerd dev``.
    """
    settings = config.read(file, flags or {})
    if data is None:
        untouched = settings.store == Settings().store and not settings.database().exists()
        if not (untouched and (DEVELOPMENT / "pagerd.db").exists()):
            return settings
        data = DEVELOPMENT
    return in_directory(data, settings)


def in_directory(directory: Path, settings: Settings) -> Settings:
    """Return settings with the database in ``directory``."""
    store = f"sqlite:////{str(directory.absolute()).lstrip('/')}/pagerd.db"
    return msgspec.structs.replace(settings, store=store)


async def opened(settings: Settings, *, keep: bool) -> Beside | BesideOthers:
    """Return the store, wherever it is, for short transactions; raise :class:`Misconfigured` where there is none."""
    if settings.on_postgres:
        from pagerd.cli.server.shared import beside_others

        return await beside_others(settings, keep=keep)
    return Beside(database_of(settings), keep=keep)


def database_of(settings: Settings) -> Path:
    """Return the database file; raise :class:`Misconfigured` where there is none, or it can't be read."""
    path = settings.database()
    try:
        path.stat()
    except OSError as error:
        raise Misconfigured(
            f"there is no database at {path}: {error.strerror}",
            code="no_database",
            remedy="Name the data directory (--data, or store = … in pagerd.toml); `pagerd migrate` makes a new one.",
        ) from error
    return path


def holder(directory: Path) -> str | None:
    """Return the process that holds a data directory, as a number; ``None`` where nobody does."""
    try:
        file = os.open(directory / "pagerd.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.read(file, 32).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(file)
    return None


class Beside:
    """Implements ``ports.store.Store`` for commands: one connection, each change a short transaction of its own.

    It may be used while a server runs: SQLite's own lock keeps their transactions apart, and the server waits for no
    longer than such a change takes. With ``keep=False`` every change is undone: a rehearsal.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        from pagerd.adapters.sql.sqlite.connections import connect, core_over

        self._keep = keep
        self.path = path
        self.raw = connect(path)
        self._core = core_over(self.raw)

    async def work(self, change: Callable[[Any], T]) -> T:
        """Run ``change`` in one transaction; its exception undoes it all."""
        return self._run("BEGIN IMMEDIATE", change, "COMMIT" if self._keep else "ROLLBACK")

    async def read(self, look: Callable[[Any], T]) -> T:
        """Run ``look`` over one consistent snapshot."""
        return self._run("BEGIN", look, "ROLLBACK")

    def _run(self, begin: str, run: Callable[[Any], T], end: str) -> T:
        from pagerd.adapters.sql.failures import translated
        from pagerd.adapters.sql.work import SqlWork

        try:
            self.raw.execute(begin)
            value = run(SqlWork(self._core))
            self.raw.execute(end)
        except Exception as error:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise translated(error) from error
        return value

    def spare(self) -> int:
        """Return how many bytes the disk has left."""
        import shutil

        return shutil.disk_usage(self.path.parent).free

    async def ping(self) -> None:
        """Return when the file answers."""
        self.raw.execute("SELECT 1")

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        self._core.close()
        self.raw.close()
