"""Closing a session before its end: by a person (cancelled) or by the clock (expired).

What was never claimed counts at once, in the same commit: the fresh range is closed without a row a batch. What
waits follows in small steps (:mod:`pagerd.session.chores`); what is under way is stopped at its next intent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core import balance, cells
from pagerd.core.balance import Counts
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.states import BatchState, RecipientState, SessionState, moved
from pagerd.ledger import folds
from pagerd.ports.store import BatchRow, SessionRow, Work
from pagerd.session.chores import Chore, added

REASONS: Final = {
    RecipientState.CANCELLED: Reason(ReasonClass.CANCELLED, "cancelled"),
    RecipientState.EXPIRED: Reason(ReasonClass.EXPIRED, "expired"),
}
_STAGING: Final = SessionState.STAGING
_STATES: Final = {
    RecipientState.CANCELLED: SessionState.CANCELLED,
    RecipientState.EXPIRED: SessionState.EXPIRED,
}


def close(work: Work, row: SessionRow, person: RecipientState, reason: int, held: int, now: float) -> SessionRow:
    """Close a session within a transaction; return its row. ``person`` is what its remaining people become.

    Of one that never started nobody was admitted: what was uploaded is deleted.
    """
    state = moved(row.state, _STATES[person])
    chore = Chore(do="close", reason=reason, held=held) if row.state is not _STAGING else Chore(do="clear")
    if row.closed_as is not None:  # closed before, and redriven without its fresh range: that is counted already
        row = reopen(work, row, work.reasons.number(REASONS[row.closed_as]))
    closed = msgspec.structs.replace(
        row,
        state=state,
        stop_no=row.next_no - 1,
        closed_as=person,
        chores=added(row.chores, chore),
        finished_at=now,
        pause_reason=None,
        paused_from=None,
    )
    delta, people = fresh_delta(work, row, closed, reason)
    work.sessions.count(row.number, delta)
    if people:
        work.sessions.count_reason(row.number, person, reason, people)
    work.sessions.save(closed)
    return closed


def fresh_delta(work: Work, row: SessionRow, closed: SessionRow, reason: int) -> tuple[Counts, int]:
    """Return by how much closing the fresh range moves the counters, and how many people it closes.

    Every batch of a part is full but its last, so the range needs no look at each; only batches that have something
    to say from the door (duplicates, refused rows) are read.
    """
    first, last = row.next_no, row.last_no
    if first > last:
        return Counts(), 0
    ended, person = folds.closed_state(closed)
    batches, people = last - first + 1, folds.Sizes(row, work.parts.all(row.number)).between(first, last)
    delta = Counts(
        **{"pending": -people, person.word: people, "batches_ready": -batches, f"batches_{ended.word}": batches}
    )
    after = first - 1
    while rows := work.batches.page(row.number, after, 500):
        for seeded in rows:
            wrong, right = _seeded(closed, seeded, reason)
            delta += right - wrong
            people += getattr(right, person.word) - getattr(wrong, person.word)
        after = rows[-1].key.no
    return delta, people


def _seeded(closed: SessionRow, seeded: BatchRow, reason: int) -> tuple[Counts, Counts]:
    """Return what closing was counted for a batch as if it were fresh, and what it really is."""
    size = len(seeded.vec) // cells.SIZE
    fresh = (BatchState.READY, cells.fresh(size))
    wrong = balance.change(fresh, folds.unclaimed(closed, size, None, reason))
    if seeded.state is not BatchState.READY:
        return balance.of_tuple(wrong), Counts()
    right = balance.change((seeded.state, seeded.vec), folds.unclaimed(closed, size, seeded.vec, reason))
    return balance.of_tuple(wrong), balance.of_tuple(right)


def reopen(work: Work, row: SessionRow, reason: int) -> SessionRow:
    """Undo :func:`close` for the fresh range within a transaction: it can be claimed again. Return the row."""
    if row.closed_as is None:
        return row
    delta, people = fresh_delta(work, msgspec.structs.replace(row, closed_as=None), row, reason)
    work.sessions.count(row.number, Counts() - delta)
    if people:
        work.sessions.count_reason(row.number, row.closed_as, reason, -people)
    return msgspec.structs.replace(row, closed_as=None, stop_no=row.last_no)
