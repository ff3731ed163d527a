"""What workers write about their batches, each statement under its token."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.adapters.sql.sqlite.tally import Tally
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Said, Write

_HOLDING: Final = (BatchState.CLAIMED, BatchState.DISPATCHING)


def write_all(raw: sqlite3.Connection, writes: Sequence[Write], now: float) -> list[Said]:
    """Write all; return what became of each, in order."""
    tally = Tally(raw)
    runs: dict[int, bool] = {}
    said = []
    for write in writes:
        session, no = write.key.session, write.key.no
        if write.attempt is not None:
            raw.execute(HOT["attempt"], (session, no, write.token, write.window, write.attempt))
        if write.needs_running:
            if session not in runs:
                runs[session] = _runs(raw, session, now)
            if not runs[session]:
                held = raw.execute(HOT["held"], (session, no, write.token)).fetchone()
                said.append(Said.STOPPED if held else Said.LOST)
                continue
        said.append(_write(raw, tally, write))
    tally.settle(now)
    return said


def _runs(raw: sqlite3.Connection, session: int, now: float) -> bool:
    state, expires_at = raw.execute(HOT["session_state"], (session,)).fetchone()
    return state in ("ready", "running") and (expires_at is None or expires_at > now)


def _write(raw: sqlite3.Connection, tally: Tally, write: Write) -> Said:
    session, no = write.key.session, write.key.no
    holding = write.state in _HOLDING
    lost = int(write.lost)
    done = raw.execute(
        HOT["write"],
        (write.state.value, write.vec, write.run_at, lost, lost, holding, holding, session, no, write.token),
    )
    if not done.rowcount:
        return Said.LOST
    tally.count(session, write.counts)
    if write.enter or write.leave:
        _exceptions(raw, write)
    for delta in write.reasons:
        tally.reason(session, delta.state, delta.reason, delta.n)
    return Said.WRITTEN


def _exceptions(raw: sqlite3.Connection, write: Write) -> None:
    session, no = write.key.session, write.key.no
    for idx in write.leave:
        raw.execute(HOT["leave"], (session, no, idx))
    if write.enter:
        round_ = raw.execute(HOT["round_of"], (session, no)).fetchone()[0]
        rows = [(session, no, e.idx, e.state.value, e.reason, round_) for e in write.enter]
        raw.executemany(HOT["enter"], rows)
