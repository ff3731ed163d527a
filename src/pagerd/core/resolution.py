"""What a claim does to recipients that an older claim left behind, and what a lost batch ends as.

Pure, so that every store applies the same rule in the same commit as its claim.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from pagerd.core import cells
from pagerd.core.balance import batch_verdict
from pagerd.core.cells import POSSIBLE_DUPLICATE, Cell
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.policy import OnDoubt
from pagerd.core.states import EXCEPTIONAL, UNSETTLED, BatchState, RecipientState

HELD: Final = Reason(ReasonClass.UNKNOWN, "held_in_doubt")
POISON: Final = Reason(ReasonClass.POISON, "lost_alone")

LOSSES_TOGETHER: Final = 2
"""So many lost claims, and a batch is only retried alone."""
LOSSES_IN_ALL: Final = 5
"""So many lost claims (three of them alone), and a batch is dead."""

_R = RecipientState
_LEFT_BEHIND: Final = frozenset({_R.SENDING, _R.IN_DOUBT})
_WAITING: Final = frozenset({_R.PENDING, _R.DEFERRED})


class Moves(msgspec.Struct, frozen=True, kw_only=True):
    """How a vector changed, and what follows for counters and rows.

    ``enter`` and ``leave`` name places that enter or leave an exceptional state (a place in both changed from one
    to another); ``reasons`` is the delta of the reason counters by (state, reason number).
    """

    vec: bytes
    enter: tuple[tuple[int, RecipientState, int], ...] = ()
    leave: tuple[int, ...] = ()
    reasons: dict[tuple[RecipientState, int], int] = {}


def moves(old: bytes, new: list[Cell]) -> Moves:
    """Return what changes between a vector and its successor."""
    return moves_of(cells.unpack(old), new)


def moves_of(old: list[Cell], new: list[Cell]) -> Moves:
    """Return what changes between cells and their successors."""
    enter: list[tuple[int, RecipientState, int]] = []
    leave: list[int] = []
    reasons: Counter[tuple[RecipientState, int]] = Counter()
    for idx, (before, after) in enumerate(zip(old, new, strict=True)):
        if before.state is after.state and before.code == after.code:
            continue
        if before.state in EXCEPTIONAL:
            leave.append(idx)
            reasons[before.state, before.code] -= 1
        if after.state in EXCEPTIONAL:
            enter.append((idx, after.state, after.code))
            reasons[after.state, after.code] += 1
    return Moves(
        vec=cells.pack(new),
        enter=tuple(enter),
        leave=tuple(leave),
        reasons={k: n for k, n in reasons.items() if n},
    )


def taken_over(vec: bytes, policy: OnDoubt, held: int, now: float) -> Moves | None:
    """Return what a claim at ``now`` makes of ``vec``; ``None`` where nothing changes.

    Whoever an older token left sending or in doubt is sent again and flagged first (``resend``) or becomes
    ``unknown`` with the reason number ``held``; the deferred whose time has come are pending again.
    """
    if not vec.strip(b"\0"):
        return None
    old = cells.unpack(vec)
    new = [_taken_over(cell, policy, held, now) for cell in old]
    return None if new == old else moves(vec, new)


def _taken_over(cell: Cell, policy: OnDoubt, held: int, now: float) -> Cell:
    if cell.state in _LEFT_BEHIND:
        if policy is OnDoubt.HOLD:
            return cell._replace(state=_R.UNKNOWN, code=held, not_before=0)
        return cell._replace(state=_R.PENDING, flags=cell.flags | POSSIBLE_DUPLICATE, code=0, not_before=0)
    if cell.state is _R.DEFERRED and cell.not_before <= now:
        return cell._replace(state=_R.PENDING, code=0, not_before=0)
    return cell


def died(vec: bytes, held: int, poison: int) -> Moves:
    """Return what a batch that was lost too often ends as: its people failed, its doubts ``unknown``.

    Under either policy: a doubtful person of a dead batch can't be sent again by itself. Both can be redriven.
    """
    new = [ended(cell, _R.FAILED, poison, held) for cell in cells.unpack(vec)]
    return moves(vec, new)


def ended(cell: Cell, state: RecipientState, reason: int, held: int) -> Cell:
    """Return what becomes of a recipient for whom everything ends: ``state`` with ``reason``, where unsettled.

    Whoever may have been told (in doubt, or flagged and waiting for the resend) is ``unknown`` with the reason
    ``held`` instead: any other word would hide that.
    """
    if cell.state in _LEFT_BEHIND or (cell.state in _WAITING and cell.possible_duplicate):
        return cell._replace(state=_R.UNKNOWN, code=held, not_before=0)
    if cell.state in _WAITING:
        return cell._replace(state=state, code=reason, not_before=0)
    return cell


def died_as(vec: bytes) -> BatchState:
    """Return what a batch that was lost too often is: dead where somebody fails for it, else what it had earned."""
    if any(cell.state in _WAITING and not cell.possible_duplicate for cell in cells.unpack(vec)):
        return BatchState.DEAD
    return BatchState.FAILED if any(state in UNSETTLED for state in cells.states(vec)) else batch_verdict(vec)
