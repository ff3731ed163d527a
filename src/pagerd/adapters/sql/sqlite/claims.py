"""Claiming: fresh batches round-robin over sessions, waiting ones when they are due, lost ones given back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Final

import msgspec

from pagerd.adapters.sql.queues import ALONE, queue_of
from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.adapters.sql.sqlite.tally import Tally
from pagerd.core import balance, cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import OnDoubt, Priority
from pagerd.core.resolution import LOSSES_IN_ALL, Moves, died, died_as, taken_over
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Want

Fresh = tuple[int, int, int, int]
"""A session with fresh work: its number, the first batch, the last batch, the round."""

Due = tuple[int, int, int, int, int, bytes, str, str, float | None]
"""A waiting batch: session, number, token, losses, round, vector; its session's state, policy and expiry."""

_SESSIONS_AT_ONCE: Final = 64
_LOOKS: Final = 20
"""So often one claim looks again for what is due, behind batches of sessions that do not run."""
_RUNS: Final = ("ready", "running")
_READY_TO_CLAIMED: Final = balance.change((BatchState.READY, b""), (BatchState.CLAIMED, b""))


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims, until when the claim is theirs, what time it is, and the numbers of the reasons claims give."""

    worker: bytes
    until: float
    now: float
    held: int
    poison: int


class Claims:
    """Makes claims inside the writer's transaction. It remembers where the round over sessions stood."""

    def __init__(self) -> None:
        self._last_served = {Priority.URGENT: 0, Priority.BULK: 0}

    def take(self, raw: sqlite3.Connection, wants: tuple[Want, ...], lease: Lease) -> list[Claim]:
        """Return claims for ``wants``, due batches before fresh ones."""
        tally = Tally(raw)
        claims: list[Claim] = []
        for want in wants:
            queue = ALONE if want.alone else int(want.priority)
            room = want.batches - len(claims)
            if room > 0:
                claims += self._waiting(raw, tally, queue, room, lease)
            room = want.batches - len(claims)
            if room > 0 and not want.alone:
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
            _, payload, place = _payload(raw, session, no)
            claims.append(
                Claim(
                    key=BatchKey(session, no),
                    token=token + 1,
                    vec=moves.vec,
                    payload=payload,
                    payload_at=place,
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
                for no in range(next_no, last + 1):
                    claim = _take_fresh(raw, BatchKey(session, no), round_, priority, lease)
                    if claim is not None:
                        tally.count(session, _READY_TO_CLAIMED)
                        claims.append(claim)
                self._last_served[priority] = session
        return claims

    def _sessions(self, raw: sqlite3.Connection, priority: Priority, now: float) -> list[Fresh]:
        after = self._last_served[priority]
        found = raw.execute(HOT["fresh"], (priority.value, after, now, _SESSIONS_AT_ONCE)).fetchall()
        if len(found) < _SESSIONS_AT_ONCE and after:
            again = raw.execute(HOT["fresh"], (priority.value, 0, now, _SESSIONS_AT_ONCE - len(found))).fetchall()
            found += [row for row in again if row[0] <= after]
        return found


def shares(sessions: Sequence[Fresh], under_way: Mapping[int, int], n: int) -> list[Fresh]:
    """Return which batches each session gets of ``n``: (session, first, last, round).

    The next batch always goes to the session that has the fewest under way, so that a small session that comes in
    beside a big one is not kept waiting for half of the lanes, but takes what comes free until they have equal shares.
    """
    queue = [(under_way.get(session[0], 0), turn) for turn, session in enumerate(sessions)]
    heapify(queue)
    taken = [0] * len(sessions)
    while queue and n > 0:
        busy, turn = queue[0]
        _, first, stop, _ = sessions[turn]
        if first + taken[turn] > stop:
            heappop(queue)
            continue
        taken[turn] += 1
        n -= 1
        heapreplace(queue, (busy + 1, turn))
    return [
        (session, first, first + some - 1, round_)
        for (session, first, _, round_), some in zip(sessions, taken, strict=True)
        if some
    ]


def _take_fresh(raw: sqlite3.Connection, key: BatchKey, round_: int, priority: Priority, lease: Lease) -> Claim | None:
    n, payload, place = _payload(raw, key.session, key.no)
    row = raw.execute(
        HOT["take_fresh"],
        (key.session, key.no, priority.value, round_, lease.until, lease.worker, cells.fresh(n)),
    ).fetchone()
    if row is None:  # settled at the door: everybody in it was refused or a duplicate
        return None
    return Claim(key=key, token=row[0], vec=row[1], payload=payload, payload_at=place, losses=0, round=round_)


def _payload(raw: sqlite3.Connection, session: int, no: int) -> tuple[int, bytes, bytes]:
    """Return (recipients, sealed blob, what the seal bound it to)."""
    part = raw.execute(HOT["part_of"], (session, no)).fetchone()
    block, seq = (0, no) if part is None else (part[0], no - part[1])
    row = raw.execute(HOT["payload"], (session, block, seq)).fetchone()
    place = block.to_bytes(4, "big") + seq.to_bytes(4, "big")
    return (0, b"", place) if row is None else (row[0], row[1], place)


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
