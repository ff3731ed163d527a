"""What commands do beside processes that share a PostgreSQL: a store for short transactions of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pagerd.config import Settings
from pagerd.core.errors import Misconfigured

if TYPE_CHECKING:
    from pagerd.adapters.sql.postgres.store import PostgresStore

T = TypeVar("T")


class BesideOthers:
    """Implements ``ports.store.Store`` for commands; with ``keep=False`` every change is undone: a rehearsal."""

    def __init__(self, store: PostgresStore, *, keep: bool) -> None:
        self._store = store
        self._keep = keep

    async def work(self, change: Callable[[Any], T]) -> T:
        """Run ``change`` in one transaction; its exception undoes it all."""
        if self._keep:
            return await self._store.work(change)

        def rehearse(work: Any) -> T:
            raise _Undo(change(work))

        try:
            return await self._store.work(rehearse)
        except _Undo as undone:
            value: T = undone.value
            return value

    async def read(self, look: Callable[[Any], T]) -> T:
        """Run ``look`` over one consistent snapshot."""
        return await self._store.read(look)

    def spare(self) -> int:
        """Return more than anybody asks for."""
        return self._store.spare()

    async def ping(self) -> None:
        """Return when the database answers."""
        await self._store.ping()

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        await self._store.aclose()


class _Undo(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


async def beside_others(settings: Settings, *, keep: bool) -> BesideOthers:
    """Return the store; raise :class:`Misconfigured` where it is not of this program's revision."""
    from pagerd.adapters.sql.migrate import HEAD
    from pagerd.adapters.sql.postgres.store import PostgresStore

    store = PostgresStore(settings.store, direct=settings.store_direct or None)
    found = await revision_of(store)
    if found != HEAD:
        await store.aclose()
        raise Misconfigured(
            f"the database is at revision {found or 'none'}, and this program knows {HEAD}",
            code="revision_differs",
            remedy="Bring it up (pagerd migrate), or use the version of pagerd that did.",
        )
    return BesideOthers(store, keep=keep)


async def revision_of(store: PostgresStore) -> str | None:
    """Return the revision of a database; ``None`` for an empty one."""
    rows = await store.lines.run(lambda line: line.fetch("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not rows[0][0]:
        return None
    rows = await store.lines.run(lambda line: line.fetch("SELECT version_num FROM alembic_version"))
    return str(rows[0][0]) if rows else None
