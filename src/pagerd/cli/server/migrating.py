"""``pagerd migrate``: the database is brought to the shape that this program wants, for servers to use."""

from __future__ import annotations

from pathlib import Path

from pagerd.config import Settings


async def migrate(settings: Settings) -> str:
    """Make or migrate the database; return what was done.

    A file that a server holds raises :class:`Misconfigured`; in PostgreSQL others go on meanwhile.
    """
    if settings.on_postgres:
        return await _shared(settings)
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


async def _shared(settings: Settings) -> str:
    from pagerd.adapters.sql.migrate import HEAD
    from pagerd.adapters.sql.postgres.keystore import PostgresKeyStore
    from pagerd.adapters.sql.postgres.shape import migrated

    keystore = PostgresKeyStore(settings.key_database())
    try:
        await keystore.made()
    finally:
        await keystore.aclose()
    done = await migrated(settings.store, direct=settings.store_direct or None)
    return f"The database is at revision {HEAD} {'now' if done else 'already: nothing to do'}."


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
