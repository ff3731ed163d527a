"""The balance: told + withheld + not told + in doubt + to go = total, and the verdict that follows from it.

:class:`Counts` has one number per recipient state, receipt, flag and batch state: it is what a session's counter
row holds, and also the *delta* that a change commits together with itself. Counts are folds of vectors, so they
can always be computed again (:func:`fold`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Final

import msgspec

from pagerd.core import cells
from pagerd.core.states import BatchState, RecipientState, SessionState


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many recipients and batches of a session are in which state; as a delta, by how many that changed."""

    pending: int = 0
    deferred: int = 0
    sending: int = 0
    in_doubt: int = 0
    accepted: int = 0
    failed: int = 0
    suppressed: int = 0
    duplicate: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    cancelled: int = 0
    possible_duplicates: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    batches_ready: int = 0
    batches_waiting: int = 0
    batches_claimed: int = 0
    batches_dispatching: int = 0
    batches_succeeded: int = 0
    batches_failed: int = 0
    batches_dead: int = 0
    batches_cancelled: int = 0
    batches_expired: int = 0

    def __add__(self, other: Counts) -> Counts:
        return of_tuple(tuple(map(operator.add, as_tuple(self), as_tuple(other))))

    def __sub__(self, other: Counts) -> Counts:
        return of_tuple(tuple(map(operator.sub, as_tuple(self), as_tuple(other))))

    @property
    def total(self) -> int:
        """All recipients."""
        return sum(as_tuple(self)[: len(RecipientState)])

    @property
    def told(self) -> int:
        """Accepted by a provider, and not bounced afterwards."""
        return self.accepted - self.bounced

    @property
    def withheld(self) -> int:
        """Not told on purpose."""
        return self.suppressed + self.duplicate

    @property
    def not_told(self) -> int:
        """Finally not told, though they should have been."""
        return self.failed + self.rejected + self.unknown + self.expired + self.cancelled + self.bounced

    @property
    def to_go(self) -> int:
        """Not settled yet."""
        return self.pending + self.deferred + self.sending

    @property
    def unsettled(self) -> int:
        """To go or in doubt: while there is one, the session runs."""
        return self.to_go + self.in_doubt

    @property
    def open_batches(self) -> int:
        """Batches without a verdict: while there is one, the session runs."""
        return self.batches_ready + self.batches_waiting + self.batches_claimed + self.batches_dispatching

    @property
    def batches(self) -> int:
        """All batches."""
        return sum(as_tuple(self)[_FIRST_BATCH:])


FIELDS: Final = Counts.__struct_fields__
_FIRST_BATCH: Final = FIELDS.index("batches_ready")
_ZERO: Final = (0,) * len(FIELDS)
_RECIPIENTS: Final = len(RecipientState)
_FLAGGED: Final = FIELDS.index("possible_duplicates")


def as_tuple(counts: Counts) -> tuple[int, ...]:
    """Return the numbers in the order of :data:`FIELDS`."""
    return msgspec.structs.astuple(counts)


def of_tuple(numbers: tuple[int, ...]) -> Counts:
    """Return the counts whose numbers stand in the order of :data:`FIELDS`."""
    return Counts(**dict(zip(FIELDS, numbers, strict=True)))


def fold_vector(vec: bytes) -> list[int]:
    """Return how many recipients of a vector are in each state, then how many carry the duplicate flag."""
    tally = [0] * (_RECIPIENTS + 1)
    size = cells.SIZE
    for at in range(0, len(vec), size):
        tally[vec[at]] += 1
        tally[_RECIPIENTS] += vec[at + 1] & cells.POSSIBLE_DUPLICATE
    return tally


def fold(batches: Iterable[tuple[BatchState, bytes]]) -> Counts:
    """Return the counts of these batches, computed from their vectors alone (receipts apart)."""
    total = list(_ZERO)
    for state, vec in batches:
        tally = fold_vector(vec)
        for i in range(_RECIPIENTS):
            total[i] += tally[i]
        total[_FLAGGED] += tally[_RECIPIENTS]
        total[_FIRST_BATCH + state] += 1
    return of_tuple(tuple(total))


def change(old: tuple[BatchState, bytes], new: tuple[BatchState, bytes]) -> tuple[int, ...]:
    """Return the delta, in the order of :data:`FIELDS`, that moves one batch from ``old`` to ``new``."""
    delta = list(_ZERO)
    before, after = fold_vector(old[1]), fold_vector(new[1])
    for i in range(_RECIPIENTS):
        delta[i] = after[i] - before[i]
    delta[_FLAGGED] = after[_RECIPIENTS] - before[_RECIPIENTS]
    delta[_FIRST_BATCH + old[0]] -= 1
    delta[_FIRST_BATCH + new[0]] += 1
    return tuple(delta)


def verdict(counts: Counts) -> SessionState | None:
    """Return the state that a session with these counts has earned, or ``None`` while anything in it is open.

    Nobody not told is ``completed``; nobody told though somebody should have been is ``failed``.
    """
    if counts.unsettled or counts.open_batches:
        return None
    if not counts.not_told:
        return SessionState.COMPLETED
    return SessionState.COMPLETED_WITH_FAILURES if counts.told > 0 else SessionState.FAILED


def batch_verdict(vec: bytes) -> BatchState:
    """Return ``succeeded`` when nobody in a settled batch is not told, else ``failed``."""
    worst = {s for s in cells.states(vec) if s in _BAD}
    return BatchState.FAILED if worst else BatchState.SUCCEEDED


_BAD: Final = frozenset(
    {
        RecipientState.FAILED,
        RecipientState.REJECTED,
        RecipientState.UNKNOWN,
        RecipientState.EXPIRED,
        RecipientState.CANCELLED,
    }
)
