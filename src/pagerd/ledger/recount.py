"""The proof of the counters: everything counted again from the vectors, and compared."""

from __future__ import annotations

from collections import Counter

import msgspec

from pagerd.core import balance, cells, ids
from pagerd.core.balance import Counts
from pagerd.core.states import EXCEPTIONAL, RecipientState
from pagerd.ledger import folds
from pagerd.ports.store import SessionRow, Work


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose counters are not what its vectors say."""

    session: str
    what: str
    counted: int
    recounted: int


def recount(work: Work, row: SessionRow, closed_reason: int) -> list[Difference]:
    """Return where counters, reasons and exception rows of a session differ from its vectors; none is the promise."""
    total = Counts()
    reasons: Counter[tuple[RecipientState, int]] = Counter()
    for _, state, vec, _ in folds.everyone(work, row, closed_reason):
        total += balance.fold([(state, vec)])
        for cell in cells.unpack(vec):
            if cell.state in EXCEPTIONAL:
                reasons[cell.state, cell.code] += 1
    return [
        Difference(session=ids.written(ids.SESSION, row.id), what=what, counted=counted, recounted=again)
        for what, counted, again in _compared(work, row, total, reasons)
        if counted != again
    ]


def _compared(
    work: Work, row: SessionRow, total: Counts, reasons: Counter[tuple[RecipientState, int]]
) -> list[tuple[str, int, int]]:
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
