"""Compiled versions, kept: a version never changes, so it is compiled once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pagerd.render.compiled import CompiledTemplate

Key = tuple[int, str, int]
"""Workspace, name, version."""


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
