"""The states of sessions, batches and recipients, and the only ways between them.

Session::

    staging ─► scheduled ─► running ⇄ paused
       │           │           │  │      │
       └──► ready ─┴───────────┘  │      ├─► cancelled
                                  │      └─► expired
                                  ├─► completed | completed_with_failures | failed | cancelled | expired
    paused ─► ready | scheduled              (a resume, if that is what it was paused from)
    any finished state ─► running            (redrive, round + 1)
    completed ─► completed_with_failures | failed, completed_with_failures ─► failed     (a late bounce)

Batch::

    ready ─► claimed ─► dispatching ─► succeeded | failed | dead | cancelled | expired
                │            │
                └─► waiting ◄┘          waiting ─► claimed
    any finished state ─► waiting           (redrive, round + 1)

Recipient::

    pending ─► suppressed | duplicate | rejected | expired | cancelled | failed
    pending ─► sending ─► accepted | failed | deferred | in_doubt | pending (known not sent) | expired
    sending ─► pending (resend, flagged) | unknown (hold)           (a claim was lost: as in_doubt)
    deferred ─► pending | expired | cancelled
    pending | deferred ─► unknown           (it waited for a resend, flagged, when everything ended)
    in_doubt ─► accepted (reconciled) | pending (resend, flagged) | unknown (hold, or nobody is to resend)
    failed | rejected | unknown | expired | cancelled ─► pending    (redrive)
    suppressed ─► pending                                           (redrive with force)
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, TypeVar

from pagerd.core.errors import WrongState


class SessionState(StrEnum):
    """Where a session stands; see the drawing above."""

    STAGING = "staging"
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class BatchState(IntEnum):
    """Where a batch stands; stored as its number."""

    READY = 0
    WAITING = 1
    CLAIMED = 2
    DISPATCHING = 3
    SUCCEEDED = 4
    FAILED = 5
    DEAD = 6
    CANCELLED = 7
    EXPIRED = 8

    __hash__ = int.__hash__  # equal to its number, so found as its number; and at the speed of one

    @property
    def word(self) -> str:
        """The state as API and documents write it."""
        return self.name.lower()


class RecipientState(IntEnum):
    """Where a recipient stands; stored as its number, one byte."""

    PENDING = 0
    DEFERRED = 1
    SENDING = 2
    IN_DOUBT = 3
    ACCEPTED = 4
    FAILED = 5
    SUPPRESSED = 6
    DUPLICATE = 7
    REJECTED = 8
    UNKNOWN = 9
    EXPIRED = 10
    CANCELLED = 11

    __hash__ = int.__hash__  # equal to its number, so found as its number; and at the speed of one

    @property
    def word(self) -> str:
        """The state as API and documents write it."""
        return self.name.lower()


_S = SessionState
_B = BatchState
_R = RecipientState

FINISHED_SESSION: Final = frozenset({_S.COMPLETED, _S.COMPLETED_WITH_FAILURES, _S.FAILED, _S.CANCELLED, _S.EXPIRED})
FINISHED_BATCH: Final = frozenset({_B.SUCCEEDED, _B.FAILED, _B.DEAD, _B.CANCELLED, _B.EXPIRED})
TO_GO: Final = frozenset({_R.PENDING, _R.DEFERRED, _R.SENDING})
WITHHELD: Final = frozenset({_R.SUPPRESSED, _R.DUPLICATE})
NOT_TOLD: Final = frozenset({_R.FAILED, _R.REJECTED, _R.UNKNOWN, _R.EXPIRED, _R.CANCELLED})
UNSETTLED: Final = TO_GO | {_R.IN_DOUBT}
EXCEPTIONAL: Final = WITHHELD | NOT_TOLD | {_R.DEFERRED, _R.IN_DOUBT}
"""States worth a row of their own: what people list and search."""

SESSION_MOVES: Final[dict[SessionState, frozenset[SessionState]]] = {
    _S.STAGING: frozenset({_S.READY, _S.SCHEDULED, _S.RUNNING, _S.CANCELLED, _S.EXPIRED, *FINISHED_SESSION}),
    _S.SCHEDULED: frozenset({_S.READY, _S.RUNNING, _S.PAUSED, _S.CANCELLED, _S.EXPIRED}),
    _S.READY: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED, _S.EXPIRED}),
    _S.RUNNING: frozenset({_S.PAUSED, *FINISHED_SESSION}),
    _S.PAUSED: frozenset({_S.READY, _S.RUNNING, _S.SCHEDULED, *FINISHED_SESSION}),
    _S.COMPLETED: frozenset({_S.RUNNING, _S.COMPLETED_WITH_FAILURES, _S.FAILED}),
    _S.COMPLETED_WITH_FAILURES: frozenset({_S.RUNNING, _S.FAILED}),
    **dict.fromkeys((_S.FAILED, _S.CANCELLED, _S.EXPIRED), frozenset({_S.RUNNING})),
}

BATCH_MOVES: Final[dict[BatchState, frozenset[BatchState]]] = {
    _B.READY: frozenset({_B.CLAIMED, _B.CANCELLED, _B.EXPIRED, _B.SUCCEEDED, _B.FAILED}),
    _B.WAITING: frozenset({_B.CLAIMED, _B.CANCELLED, _B.EXPIRED, _B.DEAD, _B.FAILED, _B.SUCCEEDED}),
    _B.CLAIMED: frozenset({_B.CLAIMED, _B.DISPATCHING, _B.WAITING, *FINISHED_BATCH}),
    _B.DISPATCHING: frozenset({_B.CLAIMED, _B.WAITING, *FINISHED_BATCH}),
    **dict.fromkeys(FINISHED_BATCH, frozenset({_B.WAITING})),
}

RECIPIENT_MOVES: Final[dict[RecipientState, frozenset[RecipientState]]] = {
    _R.PENDING: frozenset(
        {_R.SENDING, _R.DEFERRED, _R.SUPPRESSED, _R.DUPLICATE, _R.REJECTED, _R.EXPIRED, _R.CANCELLED, _R.FAILED}
        | {_R.UNKNOWN}
    ),
    _R.DEFERRED: frozenset(
        {_R.PENDING, _R.SENDING, _R.EXPIRED, _R.CANCELLED, _R.REJECTED, _R.FAILED, _R.SUPPRESSED, _R.UNKNOWN}
    ),
    _R.SENDING: frozenset({_R.ACCEPTED, _R.FAILED, _R.DEFERRED, _R.IN_DOUBT, _R.PENDING, _R.EXPIRED, _R.UNKNOWN}),
    _R.IN_DOUBT: frozenset({_R.ACCEPTED, _R.PENDING, _R.UNKNOWN}),
    _R.ACCEPTED: frozenset(),
    _R.DUPLICATE: frozenset(),
    _R.SUPPRESSED: frozenset({_R.PENDING}),
    **dict.fromkeys(NOT_TOLD, frozenset({_R.PENDING})),
}

AnyState = TypeVar("AnyState", SessionState, BatchState, RecipientState)

_MACHINES: Final[dict[type, dict[object, frozenset[object]]]] = {
    SessionState: SESSION_MOVES,  # type: ignore[dict-item]
    BatchState: BATCH_MOVES,  # type: ignore[dict-item]
    RecipientState: RECIPIENT_MOVES,  # type: ignore[dict-item]
}


def may_move(old: AnyState, new: AnyState) -> bool:
    """Tell whether the drawing has an arrow from ``old`` to ``new``."""
    return new in _MACHINES[type(old)][old]


def moved(old: AnyState, new: AnyState) -> AnyState:
    """Return ``new``; raise :class:`WrongState` where the drawing has no arrow from ``old``."""
    if not may_move(old, new):
        name = type(old).__name__.removesuffix("State").lower()
        raise WrongState(f"a {name} can't go from {old.name.lower()} to {new.name.lower()}", current=old.name.lower())
    return new
