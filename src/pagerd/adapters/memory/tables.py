"""Tables of encoded rows, and the journal that can undo what a transaction did to them.

Every row is kept as MessagePack and decoded at each look, so that nobody shares an object with the store and
nothing is kept that could not be written to a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Any)
R = TypeVar("R")
T = TypeVar("T")


class Journal:
    """Runs one transaction at a time over all the tables that share it."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] | None = None
        self.version = 0

    def change(self, run: Callable[[], T]) -> T:
        """Return what ``run`` returned; whatever it raises undoes every write it made."""
        self._undo = []
        try:
            value = run()
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            raise
        else:
            self.version += bool(self._undo)
            return value
        finally:
            self._undo = None

    def remember(self, undo: Callable[[], None]) -> None:
        """Keep how to take one write back; outside of a change there must be none."""
        if self._undo is None:
            raise RuntimeError("a look must not write: use `work`, not `read`")
        self._undo.append(undo)


class Table(Generic[K, R]):
    """Rows of one kind by their key."""

    def __init__(self, journal: Journal, kind: type[R]) -> None:
        self._journal = journal
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._rows: dict[K, bytes] = {}

    def get(self, key: K) -> R | None:
        """Return a row, or ``None``."""
        row = self._rows.get(key)
        return None if row is None else self._decode(row)

    def put(self, key: K, row: R) -> None:
        """Insert or replace a row."""
        self._remember(key)
        self._rows[key] = msgspec.msgpack.encode(row)

    def drop(self, key: K) -> bool:
        """Delete a row; ``False`` if there is none."""
        if key not in self._rows:
            return False
        self._remember(key)
        del self._rows[key]
        return True

    def items(self) -> Iterator[tuple[K, R]]:
        """Iterate over keys and rows, in order of the keys, as they are now."""
        return ((key, self._decode(self._rows[key])) for key in self)

    def rows(self) -> Iterator[R]:
        """Iterate over the rows, in order of their keys."""
        return (row for _, row in self.items())

    def __iter__(self) -> Iterator[K]:
        return iter(sorted(self._rows))

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def _remember(self, key: K) -> None:
        before = self._rows.get(key)
        self._journal.remember(lambda: self._restore(key, before))

    def _restore(self, key: K, row: bytes | None) -> None:
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
