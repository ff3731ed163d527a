"""The proof of the counters: everything counted again from the vectors, and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from pagerd.core import balance, cells, ids
from pagerd.core.balance import Counts
from pagerd.core.states import EXCEPTIONAL, RecipientState
from pagerd.ledger import folds
from pagerd.ports.store import SessionRow, Work

_CHUNK: Final = 500
Tally = Counter[tuple[RecipientState, int]]
"""How many, by state and reason number."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose counters are not what its vectors say."""

    session: str
    what: str
    counted: int
    recounted: int


def recount(work: Work, row: SessionRow, closed_reason: int) -> list[Difference]:
    """Return where counters, reasons and exception rows of a session differ from its vectors; none is the promise."""
    total = Counts()
    reasons: Tally = Counter()
    rows: Tally = Counter()
    for _, state, vec, found in folds.everyone(work, row, closed_reason):
        total += balance.fold([(state, vec)])
        reasons.update(_exceptional(vec))
        if found is not None:  # who was closed without a row of their batch has none of their own
            rows.update(_exceptional(found.vec))
    return [
        Difference(session=ids.written(ids.SESSION, row.id), what=what, counted=counted, recounted=again)
        for what, counted, again in [*_compared(work, row, total, reasons), *_rows(work, row, rows)]
        if counted != again
    ]


def _exceptional(vec: bytes) -> Iterator[tuple[RecipientState, int]]:
    return ((cell.state, cell.code) for cell in cells.unpack(vec) if cell.state in EXCEPTIONAL)


def _rows(work: Work, row: SessionRow, expected: Tally) -> list[tuple[str, int, int]]:
    """Compare the rows of exceptional recipients: how many there are for each state and reason."""
    if not row.last_no:
        return []  # never visible: what an interrupted start left is undone by the next one
    kept: Tally = Counter()
    after = (0, -1)
    while found := work.batches.exceptions(row.number, state=None, reasons=None, after=after, limit=_CHUNK):
        kept.update((entry.state, entry.reason) for entry in found)
        after = (found[-1].no, found[-1].idx)
    return [
        (f"rows of {state.word} people with reason {number}", kept[state, number], expected[state, number])
        for state, number in kept.keys() | expected.keys()
    ]


def _compared(work: Work, row: SessionRow, total: Counts, reasons: Tally) -> list[tuple[str, int, int]]:
    kept = work.sessions.counts(row.number)
    pairs = [
        (name, a, b)
        for name, a, b in zip(balance.FIELDS, balance.as_tuple(kept), balance.as_tuple(total), strict=True)
        if name not in ("delivered", "bounced", "complained")  # receipts are not in the vectors
    ]
    listed = {(state, number): n for state, number, n in work.sessions.reasons(row.number)}
    for state, number in listed.keys() | reasons.keys():
        words = f"reason {number} of {state.word}"
        pairs.append((words, listed.get((state, number), 0), reasons[state, number]))
    return [*pairs, ("total", row.total, total.total)]
