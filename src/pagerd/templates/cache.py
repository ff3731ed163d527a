"""Versions, kept: a published version never changes, so each process compiles it once, and one reads it for all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from pagerd.ports.cache import Cache
from pagerd.ports.store import VersionRow
from pagerd.render.compiled import CompiledTemplate

Key = tuple[int, str, int]
"""Workspace, name, version."""
_TTL: Final = 3_600.0


class CompiledCache:
    """The compiled versions that were used last, at most ``size`` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Key, CompiledTemplate] = OrderedDict()

    def get(self, key: Key) -> CompiledTemplate | None:
        """Return a version, or ``None`` if it has to be compiled (again)."""
        compiled = self._kept.get(key)
        if compiled is not None:
            self._kept.move_to_end(key)
        return compiled

    def keep(self, key: Key, compile_: Callable[[], CompiledTemplate]) -> CompiledTemplate:
        """Return a version, compiled now unless somebody did it meanwhile; the one used longest ago may go."""
        compiled = self.get(key)
        if compiled is None:
            compiled = self._kept[key] = compile_()
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return compiled


class VersionShelf:
    """Published versions on a shelf that processes share: sealed, and bound to their place, as in the store."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def get(self, key: Key) -> VersionRow | None:
        """Return a version; ``None`` where it has to be read. It may be forged: then it does not open."""
        body = await self._cache.get(_name(key))
        if body is None:
            return None
        workspace, name, version = key
        return VersionRow(workspace=workspace, name=name, version=version, body=body, published_at=0.0)

    async def put(self, row: VersionRow) -> None:
        """Keep a version that was read from the store."""
        await self._cache.set(_name((row.workspace, row.name, row.version)), row.body, _TTL)


def _name(key: Key) -> str:
    workspace, name, version = key
    return f"version:{workspace}:{version}:{name}"
