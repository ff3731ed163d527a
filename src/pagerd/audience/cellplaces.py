"""Where the cells of a CSV record stand: only asked when something is wrong with one."""

from __future__ import annotations

import re
from functools import lru_cache


def place_of(record: str, index: int, delimiter: str) -> tuple[int, int]:
    """Return (lines after the record's first, column from 1) of a cell; of its last if there are not so many."""
    end_of_cell = _cells(delimiter).match
    start = 0
    for _ in range(index):
        cell = end_of_cell(record, start)
        if cell is None or record[cell.end() : cell.end() + 1] != delimiter:
            break
        start = cell.end() + 1
    before = re.split(r"\r\n|\r|\n", record[:start])
    return len(before) - 1, len(before[-1]) + 1


@lru_cache(maxsize=8)
def _cells(delimiter: str) -> re.Pattern[str]:
    """Return what matches one cell: quoted, with whatever stands wrongly behind it, or bare."""
    bare = rf"[^{re.escape(delimiter)}\r\n]*+"
    return re.compile(rf'"(?:[^"]|"")*+"?{bare}|{bare}')
