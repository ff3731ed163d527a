"""Claiming: fresh batches round-robin over sessions, waiting ones when they are due, lost ones given back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from pagerd.adapters.sql.queues import ALONE, queue_of
from pagerd.adapters.sql.sqlite.arrivals import lost
from pagerd.adapters.sql.sqlite.fresh import READY_TO_CLAIMED, take_fresh
from pagerd.adapters.sql.sqlite.leases import Lease
from pagerd.adapters.sql.sqlite.sealed import Range, payload
from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.adapters.sql.sqlite.tally import Tally
from pagerd.adapters.sql.turns import Fresh, shares
from pagerd.core import balance
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import OnDoubt, Priority
from pagerd.core.resolution import LOSSES_IN_ALL, Moves, died, died_as, taken_over
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Want

Due = tuple[int, int, int, int, int, bytes, str, str, float | None]
"""A waiting batch: session, number, token, losses, round, vector; its session's state, policy and expiry."""

_SESSIONS_AT_ONCE: Final = 64
_LOOKS: Final = 20
"""So often one claim looks again for what is due, behind batches of sessions that do not run."""
_RUNS: Final = ("ready", "running")


class Claims:
    """Makes claims inside the writer's transaction. It remembers where the round over sessions stood."""

    def __init__(self) -> None:
        self._last_served = {Priority.URGENT: 0, Priority.BULK: 0}

    def take(self, raw: sqlite3.Connection, wants: tuple[Want, ...], lease: Lease) -> list[Claim]:
        """Return claims for ``wants``, due batches first, then what a queue lost, then fresh ones."""
        tally = Tally(raw)
        claims: list[Claim] = []
        for want in wants:
            queue = ALONE if want.alone else int(want.priority)
            room = want.batches - len(claims)
            if room > 0:
                claims += self._waiting(raw, tally, queue, room, lease)
            room = want.batches - len(claims)
            if room > 0 and want.published_before and not want.alone:
                claims += lost(raw, tally, want.priority, want.published_before, room, lease)
            room = want.batches - len(claims)
            if room > 0 and want.fresh and not want.alone:
                claims += self._fresh(raw, tally, want.priority, room, lease)
        tally.settle(lease.now)
        return claims

    def _waiting(self, raw: sqlite3.Connection, tally: Tally, queue: int, n: int, lease: Lease) -> list[Claim]:
        claims: list[Claim] = []
        for _ in range(_LOOKS):  # what is parked stands in nobody's way: behind it somebody may be due
            room = n - len(claims)
            rows = raw.execute(HOT["due"], (queue, lease.now, room)).fetchall() if room else []
            if not rows:
                break
            claims += self._take_due(raw, tally, rows, lease)
        return claims

    def _take_due(self, raw: sqlite3.Connection, tally: Tally, rows: Sequence[Due], lease: Lease) -> list[Claim]:
        claims = []
        for session, no, token, losses, round_, vec, state, on_doubt, expires_at in rows:
            if state not in _RUNS or (expires_at is not None and expires_at <= lease.now):
                raw.execute(HOT["park"], (session, no))
                continue
            moves = taken_over(vec, OnDoubt(on_doubt), lease.held, lease.now) or Moves(vec=vec)
            raw.execute(HOT["take_waiting"], (token + 1, lease.until, lease.worker, moves.vec, session, no))
            tally.count(session, balance.change((BatchState.WAITING, vec), (BatchState.CLAIMED, moves.vec)))
            tally.moves(session, no, round_, moves)
            sealed = payload(raw, session, no)
            claims.append(
                Claim(
                    key=BatchKey(session, no),
                    token=token + 1,
                    vec=moves.vec,
                    payload=sealed.blob,
                    payload_at=sealed.place,
                    losses=losses,
                    round=round_,
                )
            )
        return claims

    def _fresh(self, raw: sqlite3.Connection, tally: Tally, priority: Priority, n: int, lease: Lease) -> list[Claim]:
        claims: list[Claim] = []
        while len(claims) < n and (sessions := self._sessions(raw, priority, lease.now)):
            under_way = dict(raw.execute(HOT["under_way"], (lease.worker,)).fetchall())
            room = n - len(claims)
            for session, next_no, last, round_ in shares(sessions, under_way, room):
                raw.execute(HOT["advance"], (last + 1, lease.now, session))
                taken = take_fresh(raw, Range(session, next_no, last), round_, priority, lease)
                for _ in taken:
                    tally.count(session, READY_TO_CLAIMED)
                claims += taken
                self._last_served[priority] = session
        return claims

    def _sessions(self, raw: sqlite3.Connection, priority: Priority, now: float) -> list[Fresh]:
        after = self._last_served[priority]
        found = raw.execute(HOT["fresh"], (priority.value, after, now, _SESSIONS_AT_ONCE)).fetchall()
        if len(found) < _SESSIONS_AT_ONCE and after:
            again = raw.execute(HOT["fresh"], (priority.value, 0, now, _SESSIONS_AT_ONCE - len(found))).fetchall()
            found += [row for row in again if row[0] <= after]
        return found


def give_back(raw: sqlite3.Connection, lease: Lease, limit: int) -> int:
    """Give up to ``limit`` batches back that workers who are gone still hold; return how many.

    Each counts as a loss; a batch lost too often is dead.
    """
    tally = Tally(raw)
    rows = raw.execute(HOT["abandoned"], (lease.worker, limit)).fetchall()
    for session, no, state, _token, losses, round_, vec, priority in rows:
        losses += 1  # noqa: PLW2901 - the row as it will be
        dead = losses >= LOSSES_IN_ALL
        moves = died(vec, lease.held, lease.poison) if dead else Moves(vec=vec)
        new = died_as(vec) if dead else BatchState.WAITING
        queue = queue_of(Priority(priority), losses)
        run_at = None if dead else lease.now
        raw.execute(HOT["give_back"], (new.value, queue, losses, run_at, moves.vec, session, no))
        tally.count(session, balance.change((BatchState(state), vec), (new, moves.vec)))
        tally.moves(session, no, round_, moves)
    tally.settle(lease.now)
    return len(rows)
