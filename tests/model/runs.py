"""The surroundings in which the protocol is walked through: each as large as it needs to be, and no larger.

One batch meets everything: two workers, all faults without a limit, all answers, all that people do. Two batches
meet less at a time, for all they share is the session's row, the workers and the counters.
"""

from __future__ import annotations

from pagerd.core.policy import OnDoubt, OnInvalid
from pagerd.core.states import SESSION_MOVES, SessionState

from .ledger import Arrow
from .state import Audience, Rules, Slot, Who

TWO_SINGLES: Audience = ((Who.GOOD,), (Who.GOOD,))
TWO_PAIRS: Audience = ((Who.GOOD, Who.GOOD), (Who.GOOD, Who.GOOD))
HOLD = OnDoubt.HOLD


def _(*words: str) -> frozenset[str]:
    return frozenset(words)


OK_ONLY: frozenset[Slot] = frozenset()
OR_REFUSED = frozenset({Slot.PERMANENT})

RUNS: dict[str, Rules] = {
    "resend": Rules(people=_("pause", "cancel")),
    "resend, redrive": Rules(answers=OR_REFUSED, people=_("cancel", "redrive")),
    "resend, window of two": Rules(window=2, answers=OK_ONLY, people=_("cancel", "redrive unknown")),
    "resend, three people": Rules(audience=((Who.GOOD,) * 3,), window=2, answers=OK_ONLY),
    "resend, expiry, one suppressed": Rules(
        audience=((Who.SUPPRESSED, Who.GOOD),), people=_("expire", "redrive unknown")
    ),
    "hold": Rules(on_doubt=HOLD, people=_("pause", "cancel", "redrive")),
    "hold, window of two": Rules(on_doubt=HOLD, window=2, people=_("pause", "expire", "redrive")),
    "hold, a person may resend": Rules(on_doubt=HOLD, answers=OR_REFUSED, people=_("redrive unknown")),
    "a bad one fails the batch": Rules(audience=((Who.GOOD, Who.BAD),), people=_("cancel", "redrive")),
    "a bad one is skipped": Rules(
        audience=((Who.BAD, Who.GOOD),), on_invalid=OnInvalid.SKIP, people=_("cancel", "redrive")
    ),
    "poison": Rules(poison=2, answers=OR_REFUSED, people=_("redrive unknown")),
    "poison, hold": Rules(poison=2, on_doubt=HOLD, people=_("redrive")),
    "no faults": Rules(audience=TWO_PAIRS, faults=_(), answers=OR_REFUSED, people=_("pause", "cancel", "redrive")),
    "two batches": Rules(audience=TWO_SINGLES, faults=_("kill", "stop", "break"), answers=OK_ONLY),
    "two pairs, kills": Rules(audience=TWO_PAIRS, faults=_("kill"), answers=OK_ONLY),
    "two pairs, window of two, kills": Rules(audience=TWO_PAIRS, window=2, faults=_("kill"), answers=OK_ONLY),
    "two pairs, broken connections": Rules(audience=TWO_PAIRS, faults=_("break", "shutdown"), answers=OK_ONLY),
    "two pairs, hold, a zombie": Rules(audience=TWO_PAIRS, on_doubt=HOLD, window=2, faults=_("stop"), answers=OK_ONLY),
    "queue": Rules(queue=True, faults=_("kill", "stop", "break"), answers=OK_ONLY),
    "queue, kills, pause": Rules(queue=True, faults=_("kill"), answers=OK_ONLY, people=_("pause")),
    "queue, a zombie, cancel": Rules(queue=True, audience=((Who.GOOD,),), faults=_("stop"), people=_("cancel")),
    "queue, no faults": Rules(queue=True, faults=_(), people=_("pause", "cancel")),
    "queue, no sweeper": Rules(queue=True, sweeper=False, faults=_("kill"), answers=OK_ONLY),
}

COVERING = (
    "resend, expiry, one suppressed",
    "hold, window of two",
    "hold, a person may resend",
    "a bad one fails the batch",
    "poison, hold",
    "queue, no faults",
    "queue, no sweeper",
)
"""Small runs that together take every step and every arrow that any run takes."""


BEFORE = (SessionState.STAGING, SessionState.SCHEDULED, SessionState.READY)
STARTED = "the walk starts when the session runs"
BOUNCE = "a late bounce: receipts are left out"

NOT_TAKEN: dict[Arrow, str] = {
    **{("SessionState", old.name, new.name): STARTED for old in BEFORE for new in SESSION_MOVES[old]},
    ("SessionState", "PAUSED", "SCHEDULED"): STARTED,
    ("SessionState", "PAUSED", "READY"): STARTED,
    ("SessionState", "COMPLETED", "COMPLETED_WITH_FAILURES"): BOUNCE,
    ("SessionState", "COMPLETED", "FAILED"): BOUNCE,
    ("SessionState", "COMPLETED_WITH_FAILURES", "FAILED"): BOUNCE,
    ("BatchState", "READY", "FAILED"): "settled at admission: its people were refused, duplicates, or suppressed",
    ("BatchState", "READY", "SUCCEEDED"): "settled at admission",
    ("BatchState", "CLAIMED", "DEAD"): "in the model a batch is buried when it is free",
    ("BatchState", "DISPATCHING", "DEAD"): "in the model a batch is buried when it is free",
    ("BatchState", "SUCCEEDED", "WAITING"): "redrive with force",
    ("RecipientState", "SUPPRESSED", "PENDING"): "redrive with force",
    ("RecipientState", "PENDING", "DUPLICATE"): "found at admission",
    ("RecipientState", "PENDING", "DEFERRED"): "put off before an intent: the provider is paused or throttled",
    ("RecipientState", "DEFERRED", "SENDING"): "the model's claim makes it pending first",
    ("RecipientState", "DEFERRED", "REJECTED"): "the model's claim makes it pending first",
    ("RecipientState", "DEFERRED", "SUPPRESSED"): "the model's claim makes it pending first",
    ("RecipientState", "SENDING", "UNKNOWN"): "the model's claim makes it in_doubt first",
    ("RecipientState", "SENDING", "EXPIRED"): "the model has no expiry of one message",
    ("RecipientState", "IN_DOUBT", "ACCEPTED"): "reconciled by a receipt: receipts are left out",
}
"""Arrows of ``core.states`` that no run takes, and why. A new arrow in the code must be walked, or stand here."""
