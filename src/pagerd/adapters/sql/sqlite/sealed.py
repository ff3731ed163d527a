"""The sealed payloads of a session's batches, by their numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from pagerd.adapters.sql.sqlite.statements import HOT


class Range(NamedTuple):
    """Batches of a session by number, the last one included."""

    session: int
    first: int
    last: int


class Sealed(NamedTuple):
    """A batch's payload: its number, its recipients, the blob, and what the seal bound it to. Erased: 0 and empty."""

    no: int
    n: int
    blob: bytes
    place: bytes


def payloads(raw: sqlite3.Connection, numbers: Range) -> Iterator[Sealed]:
    """Yield the payload of each batch of ``numbers``, in order."""
    for block, base, first, last in _blocks(raw, numbers):
        found = {
            seq: rest
            for seq, *rest in raw.execute(HOT["payloads"], (numbers.session, block, first - base, last - base))
        }
        for no in range(first, last + 1):
            n, blob = found.get(no - base, (0, b""))
            yield Sealed(no, n, blob, block.to_bytes(4, "big") + (no - base).to_bytes(4, "big"))


def _blocks(raw: sqlite3.Connection, numbers: Range) -> list[tuple[int, int, int, int]]:
    """Return (block, base, first, last) for each part that ``numbers`` reach into; block 0 came in one piece."""
    parts = raw.execute(HOT["parts_of"], numbers).fetchall()
    if not parts:
        return [(0, 0, numbers.first, numbers.last)]
    return [(block, base, max(base + 1, numbers.first), min(end, numbers.last)) for block, base, end in parts]


def payload(raw: sqlite3.Connection, session: int, no: int) -> Sealed:
    """Return the payload of one batch."""
    return next(payloads(raw, Range(session, no, no)))
