"""People who are settled at the door: duplicates and refused rows. Their batches get a row before any claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pagerd.core import balance, cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey
from pagerd.core.cells import Cell
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.store import BatchRow, ExceptionRow

Settled = Mapping[tuple[int, int], tuple[RecipientState, int]]
"""(batch number, index) → (state, reason number)."""


class Seeds(msgspec.Struct, frozen=True, kw_only=True):
    """What settled people amount to: rows to insert, and by how much the counters differ from everybody pending."""

    batches: list[BatchRow]
    exceptions: list[ExceptionRow]
    delta: Counts
    reasons: dict[tuple[RecipientState, int], int]


def seeds(session: int, settled: Settled, sizes: Mapping[int, int]) -> Seeds:
    """Return the seeds for some settled people; ``sizes`` has the number of people of each batch concerned."""
    by_batch: dict[int, dict[int, tuple[RecipientState, int]]] = {}
    for (no, idx), what in settled.items():
        by_batch.setdefault(no, {})[idx] = what
    rows, delta = [], Counts()
    reasons: dict[tuple[RecipientState, int], int] = {}
    for no, marked in sorted(by_batch.items()):
        row = _row(BatchKey(session, no), marked, sizes[no])
        rows.append(row)
        fresh = (BatchState.READY, cells.fresh(sizes[no]))
        delta += balance.of_tuple(balance.change(fresh, (row.state, row.vec)))
    for what in settled.values():
        reasons[what] = reasons.get(what, 0) + 1
    return Seeds(batches=rows, exceptions=_exceptions(settled), delta=delta, reasons=reasons)


def _row(key: BatchKey, marked: Mapping[int, tuple[RecipientState, int]], size: int) -> BatchRow:
    people = [Cell(state=marked[idx][0], code=marked[idx][1]) if idx in marked else Cell() for idx in range(size)]
    vec = cells.pack(people)
    # A batch in which nobody is left to tell has its verdict already, and is never claimed.
    state = balance.batch_verdict(vec) if len(marked) == size else BatchState.READY
    return BatchRow(key=key, state=state, token=0, losses=0, round=1, run_at=None, vec=vec)


def _exceptions(settled: Settled) -> list[ExceptionRow]:
    return [
        ExceptionRow(no=no, idx=idx, state=state, reason=reason, round=1)
        for (no, idx), (state, reason) in sorted(settled.items())
    ]


def merged(parts: Iterable[Seeds]) -> tuple[Counts, dict[tuple[RecipientState, int], int]]:
    """Return the sum of several seeds' deltas and reasons."""
    delta = Counts()
    reasons: dict[tuple[RecipientState, int], int] = {}
    for part in parts:
        delta += part.delta
        for what, n in part.reasons.items():
            reasons[what] = reasons.get(what, 0) + n
    return delta, reasons
