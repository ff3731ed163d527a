"""From what the provider said to what the recipient becomes."""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core.cells import Cell
from pagerd.core.outcomes import FailureClass, Outcome, Reason, ReasonClass
from pagerd.core.states import RecipientState, moved
from pagerd.ports.time import Chance
from pagerd.route.carrier import held_for
from pagerd.worker.schedules import SHORTEST_WAIT, Schedule

_F = FailureClass
_R = RecipientState
_PERMANENT: Final = {
    _F.PERMANENT_ADDRESS: ReasonClass.PERMANENT_ADDRESS,
    _F.PERMANENT_CONTENT: ReasonClass.PERMANENT_CONTENT,
}
_DELAYED: Final = {
    _F.TRANSIENT: ReasonClass.TRANSIENT,
    _F.THROTTLED: ReasonClass.THROTTLED,
    _F.PROVIDER_CONFIG: ReasonClass.PROVIDER_CONFIG,
}
_FREE: Final = frozenset({_F.THROTTLED, _F.PROVIDER_CONFIG, _F.NOT_SENT})
"""Outcomes that burn no attempt: the message had no fault in them."""
_CONFIG_WAIT: Final = 60.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict needs to know: the time, when to give up (UTC epoch seconds), the schedule, and chance."""

    now: float
    give_up_at: float
    schedule: Schedule
    chance: Chance


def judged(cell: Cell, outcome: Outcome, terms: Terms) -> tuple[Cell, Reason | None]:
    """Return the cell that an outcome makes of a ``sending`` one, and the reason whose number it shall carry."""
    attempt = cell.attempt - 1 if outcome.kind in _FREE else cell.attempt
    cell = cell._replace(attempt=attempt, code=0, not_before=0)
    if outcome.told:
        return _to(cell, _R.ACCEPTED), None
    if outcome.kind is _F.NOT_SENT:
        return _to(cell, _R.PENDING), None
    if outcome.kind is _F.IN_DOUBT:
        return _to(cell, _R.IN_DOUBT), Reason(ReasonClass.IN_DOUBT, outcome.code or "unanswered")
    if outcome.kind is _F.EXPIRED:
        return _to(cell, _R.EXPIRED), Reason(ReasonClass.EXPIRED, outcome.code or "expired")
    if outcome.kind in _PERMANENT:
        return _to(cell, _R.FAILED), Reason(_PERMANENT[outcome.kind], outcome.code)
    return _delayed(cell, outcome, terms)


def _delayed(cell: Cell, outcome: Outcome, terms: Terms) -> tuple[Cell, Reason]:
    reason = Reason(_DELAYED[outcome.kind], outcome.code)
    at = terms.now + _wait(cell, outcome, terms)
    if at > terms.give_up_at:
        return _to(cell, _R.EXPIRED), Reason(ReasonClass.EXPIRED, outcome.code)
    return _to(cell, _R.DEFERRED)._replace(not_before=int(at) + 1), reason


def _wait(cell: Cell, outcome: Outcome, terms: Terms) -> float:
    if outcome.kind is _F.PROVIDER_CONFIG:
        return _CONFIG_WAIT
    if outcome.retry_after is not None or outcome.kind is _F.THROTTLED:
        return held_for(outcome.retry_after)
    return max(SHORTEST_WAIT, terms.chance.uniform(0.0, terms.schedule.wait(max(cell.attempt, 1))))


def _to(cell: Cell, state: RecipientState) -> Cell:
    return cell._replace(state=moved(cell.state, state))
