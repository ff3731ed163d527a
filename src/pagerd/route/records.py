"""What the store knows of providers: rows of those that the API keeps, numbers, and pauses of all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pagerd.core.errors import Conflict
from pagerd.guard.revision import Revision
from pagerd.ports.store import ProviderRow, Store, Work

_MOST_NAMES: Final = 255
"""A vector names a provider by one byte, and never forgets."""


class Records:
    """Reads and writes; every change is marked in the installation's revision, so that other processes follow."""

    def __init__(self, store: Store, revision: Revision) -> None:
        self._store = store
        self._revision = revision

    async def number(self, workspace: int, name: str) -> int:
        """Return the number of a name, giving it one if it is new; raise :class:`Conflict` when none is left."""

        def change(work: Work) -> int:
            number = work.providers.number(workspace, name)
            if number > _MOST_NAMES:
                words = f"{_MOST_NAMES} names of providers were used: take one of them"
                raise Conflict(words, code="too_many_providers")
            return number

        return await self._store.work(change)

    async def get(self, workspace: int, name: str) -> ProviderRow | None:
        """Return the row of one that the API keeps, or ``None``."""
        return await self._store.read(lambda work: work.providers.get(workspace, name))

    async def all(self, workspace: int, of_file: Iterable[str]) -> tuple[list[ProviderRow], dict[str, str | None]]:
        """Return all rows, and why those of the configuration file are paused (``None``: they are not)."""

        def look(work: Work) -> tuple[list[ProviderRow], dict[str, str | None]]:
            pauses = {name: work.facts.get(_pause_of(workspace, name)) for name in of_file}
            return work.providers.all(workspace), {name: (why or b"").decode() or None for name, why in pauses.items()}

        return await self._store.read(look)

    async def keep(self, row: ProviderRow) -> None:
        """Insert or replace a row."""

        def change(work: Work) -> None:
            work.providers.put(row)
            self._revision.mark(work)

        await self._store.work(change)
        await self._revision.tell()

    async def keep_pause(self, workspace: int, name: str, reason: str | None) -> None:
        """Keep why one of the configuration file, which has no row, is paused; ``None``: it is not any more."""

        def change(work: Work) -> None:
            work.facts.set(_pause_of(workspace, name), (reason or "").encode())
            self._revision.mark(work)

        await self._store.work(change)
        await self._revision.tell()


def _pause_of(workspace: int, name: str) -> str:
    return f"paused.{workspace}.{name}"
