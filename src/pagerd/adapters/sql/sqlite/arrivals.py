"""Claiming what a queue brought, and what it was given and lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.adapters.sql.queues import PARKED
from pagerd.adapters.sql.sqlite import sealed
from pagerd.adapters.sql.sqlite.fresh import READY_TO_CLAIMED
from pagerd.adapters.sql.sqlite.leases import Lease
from pagerd.adapters.sql.sqlite.tally import Tally
from pagerd.adapters.sql.statements import load
from pagerd.core import cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import Priority
from pagerd.ports.ledger import Arrival

QUEUED: Final = load(__package__, "arrivals.sql")


class _Session(msgspec.Struct, frozen=True, array_like=True):
    """A session that runs, as an arrival must know it."""

    stop_no: int
    round: int
    priority: int
    next_no: int
    payload_rev: int


def take(raw: sqlite3.Connection, arrivals: Sequence[Arrival], lease: Lease) -> list[Claim | None]:
    """Return a claim for each batch that may be worked on now, ``None`` for the others, in order."""
    tally = Tally(raw)
    known: dict[tuple[int, bytes], _Session | None] = {}
    claims: list[Claim | None] = []
    for arrival in arrivals:
        name = (arrival.key.session, arrival.session_id)
        if name not in known:
            row = raw.execute(QUEUED["open_session"], (*name, lease.now)).fetchone()
            known[name] = None if row is None else _Session(*row)
        session = known[name]
        claim = None
        if session is not None and 0 < arrival.key.no <= session.stop_no:
            claim = _ready(raw, arrival, session, lease) or _unwritten(raw, arrival.key, session, lease)
        if claim is not None:
            tally.count(arrival.key.session, READY_TO_CLAIMED)
        claims.append(claim)
    tally.settle(lease.now)
    return claims


def _ready(raw: sqlite3.Connection, arrival: Arrival, session: _Session, lease: Lease) -> Claim | None:
    key = arrival.key
    values = (session.round, lease.until, lease.worker, key.session, key.no)
    row = raw.execute(QUEUED["take_ready"], values).fetchone()
    if row is None:
        return None
    payload, place = arrival.payload, arrival.payload_at
    if arrival.revision < session.payload_rev:
        _, _, payload, place = sealed.payload(raw, key.session, key.no)
    return _claim(key, session.round, row, payload, place)


def _unwritten(raw: sqlite3.Connection, key: BatchKey, session: _Session, lease: Lease) -> Claim | None:
    """Claim a batch that is published and that the relay has not written down yet: the store says what it holds."""
    if key.no < session.next_no:  # it was written down, and is not ready any more: the record came twice
        return None
    _, n, payload, place = sealed.payload(raw, key.session, key.no)
    values = (key.session, key.no, session.priority, session.round, lease.until, lease.worker, cells.fresh(n))
    row = raw.execute(QUEUED["take_unwritten"], values).fetchone()
    return None if row is None else _claim(key, session.round, row, payload, place)


def lost(raw: sqlite3.Connection, tally: Tally, priority: Priority, before: float, n: int, lease: Lease) -> list[Claim]:
    """Claim up to ``n`` batches that were published before a time and never came."""
    claims: list[Claim] = []
    while len(claims) < n:
        values = (lease.now, priority.value, before, n - len(claims))
        rows = raw.execute(QUEUED["published"], values).fetchall()
        if not rows:
            break
        for session, no, round_, may_run in rows:
            if not may_run:  # it stands in nobody's way: a resume gives it a time again
                raw.execute(QUEUED["park_published"], (PARKED, session, no))
                continue
            row = raw.execute(QUEUED["take_ready"], (round_, lease.until, lease.worker, session, no)).fetchone()
            _, _, payload, place = sealed.payload(raw, session, no)
            tally.count(session, READY_TO_CLAIMED)
            claims.append(_claim(BatchKey(session, no), round_, row, payload, place))
    return claims


def _claim(key: BatchKey, round_: int, row: tuple[int, bytes, int], payload: bytes, place: bytes) -> Claim:
    token, vec, losses = row
    return Claim(key=key, token=token, vec=vec, payload=payload, payload_at=place, losses=losses, round=round_)
