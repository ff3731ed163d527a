"""The statements of the hot path, and how one takes many rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from pagerd.adapters.sql.statements import load

_AT_ONCE: Final = 64
"""So many rows at most in one statement: each number of rows is a statement of its own, which SQLite keeps prepared."""

HOT: Final = load(__package__, "hot.sql")


def with_rows(raw: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Run a statement that takes ``:rows``, many in one call; yield what it returns.

    The driver lets go of the interpreter around each call, and in a busy process has to wait for it after each: so
    a call for many rows costs little more than a call for one.
    """
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        yield from raw.execute(_of(name, len(some), len(some[0])), tuple(chain.from_iterable(some))).fetchall()


@lru_cache(maxsize=1024)
def _of(name: str, rows: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return HOT[name].replace(":rows", ", ".join([row] * rows))
