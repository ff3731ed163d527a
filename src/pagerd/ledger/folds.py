"""All that a session's batches say, also those that were never claimed and have no row."""

from __future__ import annotations

from collections.abc import Iterator

from pagerd.core import cells
from pagerd.core.cells import Cell
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.store import BatchRow, PartRow, SessionRow, Work

_CHUNK = 500


class Sizes:
    """How many people each batch of a session has, from its parts alone: every batch of a part is full but its last."""

    def __init__(self, row: SessionRow, parts: list[PartRow]) -> None:
        self._size = row.batch_size
        known = [(p.base, p.base + p.batches, p.recipients) for p in parts if p.base is not None]
        self._spans = known or [(0, row.last_no, row.total)]

    def of(self, no: int) -> int:
        """Return the number of people in batch ``no``."""
        for base, end, people in self._spans:
            if base < no <= end:
                return self._size if no < end else people - (end - base - 1) * self._size
        return 0

    def between(self, first: int, last: int) -> int:
        """Return the number of people in the batches from ``first`` to ``last``."""
        total = 0
        for base, end, people in self._spans:
            low, high = max(first, base + 1), min(last, end)
            if low <= high:
                total += (high - low + 1) * self._size
                if high == end:
                    total -= (end - base) * self._size - people
        return total


def closed_state(row: SessionRow) -> tuple[BatchState, RecipientState]:
    """Return what batches that were never claimed are: ready and pending, unless the session was closed."""
    if row.closed_as is None:
        return BatchState.READY, RecipientState.PENDING
    ended = BatchState.EXPIRED if row.closed_as is RecipientState.EXPIRED else BatchState.CANCELLED
    return ended, row.closed_as


def unclaimed(row: SessionRow, size: int, seeded: bytes | None, reason: int) -> tuple[BatchState, bytes]:
    """Return state and vector of a batch beyond the last claim: as it was seeded, or all as the session says."""
    state, person = closed_state(row)
    vec = seeded if seeded is not None else cells.fresh(size)
    if person is RecipientState.PENDING:
        return state, vec
    closed = [
        c._replace(state=person, code=reason) if c.state is RecipientState.PENDING else c for c in cells.unpack(vec)
    ]
    return state, cells.pack(closed)


def everyone(
    work: Work, row: SessionRow, reason: int, after: int = 0, sizes: Sizes | None = None
) -> Iterator[tuple[int, BatchState, bytes, BatchRow | None]]:
    """Iterate over (number, state, vector, row) of all batches above ``after``, in order.

    ``reason`` is the number that people of a closed session carry who were never claimed.
    """
    sizes = sizes or Sizes(row, work.parts.all(row.number))
    no = after
    while no < row.last_no:
        rows = {b.key.no: b for b in work.batches.page(row.number, no, _CHUNK) if b.key.no <= no + _CHUNK}
        for at in range(no + 1, min(row.last_no, no + _CHUNK) + 1):
            found = rows.get(at)
            if found is not None and (at < row.next_no or found.state is not BatchState.READY):
                yield at, found.state, found.vec, found
            else:
                yield at, *unclaimed(row, sizes.of(at), found.vec if found else None, reason), found
        no += _CHUNK


def one(row: SessionRow, found: BatchRow | None, size: int, reason: int, no: int) -> tuple[BatchState, list[Cell]]:
    """Return state and cells of one batch."""
    if found is not None and (no < row.next_no or found.state is not BatchState.READY):
        return found.state, cells.unpack(found.vec)
    state, vec = unclaimed(row, size, found.vec if found else None, reason)
    return state, cells.unpack(vec)
