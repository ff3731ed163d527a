"""``pagerd migrate``: the database is brought to the shape that this program wants, while no server uses it."""

from __future__ import annotations

from pathlib import Path

from pagerd.config import Settings


def migrate(settings: Settings) -> str:
    """Make or migrate the database; return what was done. Raise :class:`Misconfigured` while a server holds it."""
    from pagerd.adapters.sql.migrate import HEAD
    from pagerd.adapters.sql.sqlite.store import migrated
    from pagerd.adapters.system.lock import DirectoryLock

    path = settings.database()
    lock = DirectoryLock(path.parent.absolute())
    try:
        was = revision_of(path)
        if not migrated(path):
            return f"{path} is at revision {HEAD} already: nothing to do."
        return f"{path} is at revision {HEAD} now ({'it was at ' + was if was else 'it is new'})."
    finally:
        lock.release()


def needs_migration(settings: Settings) -> bool:
    """Tell whether the database is not there yet, or older than this program."""
    from pagerd.adapters.sql.migrate import HEAD

    return (revision_of(settings.database()) or "") < HEAD


def revision_of(path: Path) -> str | None:
    """Return the revision of a database file; ``None`` for one that is not there, or empty."""
    from pagerd.adapters.sql.migrate import revision
    from pagerd.adapters.sql.sqlite.connections import connect, core_over

    if not path.exists():
        return None
    raw = connect(path, read_only=True)
    core = core_over(raw)
    try:
        return revision(core)
    finally:
        core.close()
        raw.close()
