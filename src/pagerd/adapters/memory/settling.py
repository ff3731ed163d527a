"""What follows from a changed batch, in the same transaction: counters, reasons, exception rows, the verdict."""

from __future__ import annotations

import msgspec

from pagerd.adapters.memory.store import Tables
from pagerd.core import balance
from pagerd.core.batches import BatchKey
from pagerd.core.resolution import Moves
from pagerd.core.states import SessionState
from pagerd.ports.ledger import Exceptional, ReasonDelta
from pagerd.ports.store import BatchRow, ExceptionRow

_LIVE = frozenset({SessionState.READY, SessionState.RUNNING, SessionState.PAUSED})


class Consequences(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of one batch means for everything that is kept about its session."""

    counts: tuple[int, ...]
    reasons: tuple[ReasonDelta, ...] = ()
    enter: tuple[Exceptional, ...] = ()
    leave: tuple[int, ...] = ()


def consequences(old: BatchRow, new: BatchRow, moves: Moves) -> Consequences:
    """Return what ``moves`` and the change of state from ``old`` to ``new`` mean."""
    return Consequences(
        counts=balance.change((old.state, old.vec), (new.state, new.vec)),
        reasons=tuple(ReasonDelta(state, reason, n) for (state, reason), n in moves.reasons.items()),
        enter=tuple(Exceptional(idx, state, reason) for idx, state, reason in moves.enter),
        leave=moves.leave,
    )


def settle(tables: Tables, key: BatchKey, round_: int, what: Consequences, now: float) -> None:
    """Write the consequences; a session with nobody unsettled and no batch open gets the verdict that it earned."""
    session = key.session
    tables.sessions.count(session, balance.of_tuple(what.counts))
    for delta in what.reasons:
        tables.sessions.count_reason(session, delta.state, delta.reason, delta.n)
    tables.batches.except_(
        session,
        [ExceptionRow(no=key.no, idx=e.idx, state=e.state, reason=e.reason, round=round_) for e in what.enter],
        [(key.no, idx) for idx in what.leave],
    )
    _finish(tables, session, now)


def _finish(tables: Tables, number: int, now: float) -> None:
    counts, session = tables.sessions.counts(number), tables.sessions.by_number(number)
    if session is None or session.state not in _LIVE or session.chores is not None or _open_batches(counts):
        return
    state = balance.verdict(counts)
    if state is not None:
        tables.sessions.save(msgspec.structs.replace(session, state=state, finished_at=now))


def _open_batches(counts: balance.Counts) -> int:
    return counts.batches_ready + counts.batches_waiting + counts.batches_claimed + counts.batches_dispatching
