"""What workers write about their batches, each statement under its token."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from pagerd.adapters.sql.sqlite.statements import HOT, with_rows
from pagerd.adapters.sql.sqlite.tally import Tally
from pagerd.ports.ledger import Said, Write


def write_all(raw: sqlite3.Connection, writes: Sequence[Write], now: float) -> list[Said]:
    """Write all; return what became of each, in order."""
    _attempts(raw, writes)
    runs: dict[int, bool] = {}
    said = [Said.LOST] * len(writes)
    going: dict[tuple[int, int, int], int] = {}
    tally = Tally(raw)
    for at, write in enumerate(writes):
        session, no, token = place = (write.key.session, write.key.no, write.token)
        if write.needs_running:
            if session not in runs:
                runs[session] = _runs(raw, session, now)
            if not runs[session]:
                if raw.execute(HOT["held"], (session, no, token)).fetchone():
                    said[at] = Said.STOPPED
                continue
        if place in going:  # twice in one group: in the order in which they came
            _go(raw, tally, writes, going, said)
            going = {}
        going[place] = at
    _go(raw, tally, writes, going, said)
    tally.settle(now)
    return said


def _attempts(raw: sqlite3.Connection, writes: Sequence[Write]) -> None:
    """Keep what providers said, also where the token is lost."""
    rows = [(w.key.session, w.key.no, w.token, w.window, w.attempt) for w in writes if w.attempt is not None]
    for _ in with_rows(raw, "attempt", rows):
        pass


def _runs(raw: sqlite3.Connection, session: int, now: float) -> bool:
    state, expires_at = raw.execute(HOT["session_state"], (session,)).fetchone()
    return state in ("ready", "running") and (expires_at is None or expires_at > now)


def _go(
    raw: sqlite3.Connection,
    tally: Tally,
    writes: Sequence[Write],
    going: Mapping[tuple[int, int, int], int],
    said: list[Said],
) -> None:
    """Write those at the places ``going``, each under its token, and note in ``said`` which still had it."""
    rows = [
        (*place, write.state.value, write.vec, write.run_at, write.lost)
        for place, write in ((place, writes[at]) for place, at in going.items())
    ]
    for place in with_rows(raw, "write", rows):
        at = going[place]
        said[at] = Said.WRITTEN
        write = writes[at]
        tally.count(place[0], write.counts)
        if write.enter or write.leave:
            _exceptions(raw, write)
        for delta in write.reasons:
            tally.reason(place[0], delta.state, delta.reason, delta.n)


def _exceptions(raw: sqlite3.Connection, write: Write) -> None:
    session, no = write.key.session, write.key.no
    for idx in write.leave:
        raw.execute(HOT["leave"], (session, no, idx))
    if write.enter:
        round_ = raw.execute(HOT["round_of"], (session, no)).fetchone()[0]
        rows = [(session, no, e.idx, e.state.value, e.reason, round_) for e in write.enter]
        raw.executemany(HOT["enter"], rows)
