"""Chores: what a pause, cancel, expiry or redrive still has to do to a session's batches, in small transactions.

They are kept with the session, so that a crash continues them; each step may be repeated without harm. While a
session has chores it does not finish.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pagerd.core import balance, cells
from pagerd.core.balance import batch_verdict, verdict
from pagerd.core.batches import BatchKey
from pagerd.core.cells import POSSIBLE_DUPLICATE, Cell
from pagerd.core.resolution import ended, moves
from pagerd.core.states import FINISHED_BATCH, BatchState, RecipientState
from pagerd.ports.store import BatchRow, ExceptionRow, SessionRow, Work

_AT_ONCE: Final = 200
_R = RecipientState


class Chore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to do: ``unpark`` after a resume, ``close`` after a cancel or expiry, ``redrive``; ``clear`` an upload.

    ``reason`` is the number that closed people carry; ``held`` the one of doubts that nobody resolves any more;
    ``states`` and ``reasons`` (numbers) say whom a redrive takes; ``after`` is the last batch that it has done.
    """

    do: Literal["unpark", "close", "clear", "redrive"]
    reason: int = 0
    held: int = 0
    states: list[int] = []
    reasons: list[int] | None = None
    after: int = 0


_DECODER = msgspec.json.Decoder(list[Chore])


def chores_of(row: SessionRow) -> list[Chore]:
    """Return what is still to do."""
    return _DECODER.decode(row.chores) if row.chores else []


def added(chores: bytes | None, chore: Chore) -> bytes:
    """Return the chores with one more at the end."""
    return msgspec.json.encode([*(_DECODER.decode(chores) if chores else []), chore])


def step(work: Work, number: int, now: float) -> bool:
    """Do a little of a session's first chore within a transaction; return whether to come back at once."""
    row = work.sessions.by_number(number)
    todo = chores_of(row) if row else []
    if row is None or not todo:
        return False
    first, rest = todo[0], todo[1:]
    if first.do == "unpark":
        more, waits = _unpark_some(work, number, now), False
    elif first.do == "close":
        more, waits = _close_some(work, row, first)
    elif first.do == "clear":
        more, waits = _clear_some(work, row), False
    else:
        done = _redrive_some(work, row, first, now)
        more, waits = done is not None, False
        if done is not None:
            work.sessions.save(_with(row, [msgspec.structs.replace(first, after=done), *rest]))
    if not more and not waits:
        _finish_if_over(work, _with(row, rest), now)
    return not waits


def _with(row: SessionRow, todo: list[Chore]) -> SessionRow:
    return msgspec.structs.replace(row, chores=msgspec.json.encode(todo) if todo else None)


def _finish_if_over(work: Work, row: SessionRow, now: float) -> None:
    earned = verdict(work.sessions.counts(row.number)) if row.chores is None else None
    if earned is not None and row.state in ("ready", "running", "paused"):
        row = msgspec.structs.replace(row, state=earned, finished_at=now)
    work.sessions.save(row)


def _unpark_some(work: Work, number: int, now: float) -> bool:
    """Let some parked batches be claimed at once, and some whose records nobody would claim meanwhile."""
    return bool(work.batches.parked(number, _AT_ONCE, now) or work.batches.republished(number, _AT_ONCE))


def _close_some(work: Work, row: SessionRow, chore: Chore) -> tuple[bool, bool]:
    """End some waiting or published batches; return (there may be more, some are still under way)."""
    waiting = work.batches.in_state(row.number, [BatchState.WAITING], 0, _AT_ONCE)
    waiting = waiting or work.batches.published(row.number, _AT_ONCE)
    for old in waiting:
        closed_as = row.closed_as or _R.CANCELLED
        new = [ended(cell, closed_as, chore.reason, chore.held) for cell in cells.unpack(old.vec)]
        state = BatchState.EXPIRED if closed_as is _R.EXPIRED else BatchState.CANCELLED
        if not any(cell.state is closed_as for cell in new):
            state = batch_verdict(cells.pack(new))
        apply(work, row, old, new, state, None)
    if waiting:
        return True, False
    under_way = work.batches.in_state(row.number, [BatchState.CLAIMED, BatchState.DISPATCHING], 0, 1)
    return False, bool(under_way)


def _clear_some(work: Work, row: SessionRow) -> bool:
    """Delete some of what was uploaded to a session that never started; return whether there may be more."""
    if work.parts.clear(row.number, _AT_ONCE) or work.batches.unseed(row.number, _AT_ONCE):
        return True
    work.addresses.drop_segments(row.workspace, row.number)
    return False


def _redrive_some(work: Work, row: SessionRow, chore: Chore, now: float) -> int | None:
    """Give the people of some batches of earlier rounds another try; return the last batch done, ``None`` at the end.

    It goes through the batches once, in order, and takes each whole, so that none is touched again once a worker has
    it; one that is no longer (or not yet again) finished is left alone.
    """
    found, last = _to_redrive(work, row, chore)
    for no in found:
        old = work.batches.get(BatchKey(row.number, no))
        if old is not None and old.state in FINISHED_BATCH:
            again = [_again(cell, chore) for cell in cells.unpack(old.vec)]
            apply(work, row, old, again, BatchState.WAITING, now)
    return last


def _to_redrive(work: Work, row: SessionRow, chore: Chore) -> tuple[list[int], int | None]:
    """Return the next batches with somebody to redrive, and up to which number they are complete."""
    found: set[int] = set()
    ends: list[int] = []
    for state in chore.states:
        entries = work.batches.exceptions(
            row.number,
            state=RecipientState(state),
            reasons=chore.reasons,
            after=(chore.after, 1 << 16),
            limit=_AT_ONCE,
            below_round=row.round,
        )
        found.update(entry.no for entry in entries)
        if len(entries) == _AT_ONCE:
            ends.append(entries[-1].no)
    if not found:
        return [], None
    last = min(ends, default=max(found))
    return sorted(no for no in found if no <= last), last


def _again(cell: Cell, chore: Chore) -> Cell:
    if cell.state not in chore.states or (chore.reasons is not None and cell.code not in chore.reasons):
        return cell
    # Whoever may have been told is flagged before they are told again.
    doubt = POSSIBLE_DUPLICATE if cell.state is _R.UNKNOWN else 0
    return Cell(flags=cell.flags | doubt)


def apply(work: Work, row: SessionRow, old: BatchRow, new: list[Cell], state: BatchState, run_at: float | None) -> bool:
    """Rewrite a batch that no worker holds, with its counters, reasons and exception rows, within a transaction."""
    change = moves(old.vec, new)
    round_ = row.round if state is BatchState.WAITING else old.round
    losses = 0 if state is BatchState.WAITING else old.losses
    rewritten = msgspec.structs.replace(old, state=state, vec=change.vec, run_at=run_at, round=round_, losses=losses)
    if not work.batches.rewrite(old, rewritten):
        return False
    delta = balance.change((old.state, old.vec), (state, change.vec))
    work.sessions.count(row.number, balance.of_tuple(delta))
    for (person, reason), n in change.reasons.items():
        work.sessions.count_reason(row.number, person, reason, n)
    no = old.key.no
    work.batches.except_(
        row.number,
        [
            ExceptionRow(no=no, idx=idx, state=person, reason=reason, round=round_)
            for idx, person, reason in change.enter
        ],
        [(no, idx) for idx in change.leave],
    )
    return True
