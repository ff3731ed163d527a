"""Claiming what a queue brought, and what it was given and lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.adapters.sql.postgres.lines import Line
from pagerd.adapters.sql.postgres.statements import HOT, QUEUED
from pagerd.adapters.sql.postgres.tally import Tally
from pagerd.adapters.sql.postgres.terms import Lease, claim_of, place
from pagerd.core import balance
from pagerd.core.batches import Claim
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Arrival, Want

_READY_TO_CLAIMED: Final = balance.change((BatchState.READY, b""), (BatchState.CLAIMED, b""))
_Place = tuple[int, int]


class _Session(msgspec.Struct, frozen=True, array_like=True):
    """A session that runs, as an arrival must know it."""

    number: int
    id: bytes
    stop_no: int
    round: int
    priority: int
    next_no: int
    payload_rev: int


async def take(line: Line, tally: Tally, arrivals: Sequence[Arrival], lease: Lease) -> list[Claim | None]:
    """Return a claim for each batch that may be worked on now, ``None`` for the others, in order."""
    rows = await line.fetch(QUEUED["open_sessions"], sorted({a.key.session for a in arrivals}), lease.now)
    sessions = {row[0]: _Session(*row) for row in rows}
    asked: dict[_Place, Arrival] = {}
    for arrival in arrivals:
        session = sessions.get(arrival.key.session)
        known = session is not None and bytes(session.id) == arrival.session_id
        if session is not None and known and 0 < arrival.key.no <= session.stop_no:
            asked.setdefault((arrival.key.session, arrival.key.no), arrival)
    claims = await _ready(line, asked, sessions, lease)
    claims |= await _unwritten(line, [at for at in asked if at not in claims], sessions, lease)
    for session_number, _ in claims:
        tally.count(session_number, _READY_TO_CLAIMED)
    # The same batch twice in one call is one claim: its second record came twice.
    return [claims.pop((a.key.session, a.key.no), None) if a is asked.get(_at(a)) else None for a in arrivals]


async def lost(line: Line, tally: Tally, want: Want, n: int, lease: Lease) -> list[Claim]:
    """Claim up to ``n`` batches that were published before a time and never came."""
    claims: list[Claim] = []
    while room := n - len(claims):
        rows = await line.fetch(QUEUED["published"], lease.now, want.priority.value, want.published_before, room)
        if not rows:
            break
        parked = [row[:2] for row in rows if not row[3]]
        if parked:  # they stand in nobody's way: a resume gives them a time again
            await line.fetch(QUEUED["park_published"], *map(list, zip(*parked, strict=True)))
        found = await _taken(line, [tuple(row[:3]) for row in rows if row[3]], lease)
        payloads = await _payloads(line, list(found))
        for (session, no), (token, vec, losses, round_) in found.items():
            tally.count(session, _READY_TO_CLAIMED)
            blob, at = payloads[session, no]
            claims.append(claim_of((session, no), token, vec, blob, at, losses, round_))
    return claims


def _at(arrival: Arrival) -> _Place:
    return arrival.key.session, arrival.key.no


async def _ready(
    line: Line, asked: dict[_Place, Arrival], sessions: dict[int, _Session], lease: Lease
) -> dict[_Place, Claim]:
    """Claim those that stand there ready; the store's payload wins where it was revised since."""
    found = await _taken(line, [(*at, sessions[at[0]].round) for at in sorted(asked)], lease)
    revised = [at for at in found if asked[at].revision < sessions[at[0]].payload_rev]
    newer = await _payloads(line, revised)
    claims = {}
    for at, (token, vec, losses, round_) in found.items():
        payload, payload_at = newer.get(at, (asked[at].payload, asked[at].payload_at))
        claims[at] = claim_of(at, token, vec, payload, payload_at, losses, round_)
    return claims


async def _unwritten(
    line: Line, places: list[_Place], sessions: dict[int, _Session], lease: Lease
) -> dict[_Place, Claim]:
    """Claim those that are published and that the relay has not written down yet: the store says what they hold."""
    wanted = []
    for session, no in sorted(places):
        known = sessions[session]
        if no >= known.next_no:  # else it was written down, and is not ready any more: the record came twice
            wanted.append((session, no, no, known.round, known.priority))
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*wanted, strict=True)]
    rows = await line.fetch(HOT["take_fresh"], lease.length, lease.worker, *columns)
    return {
        (session, no): claim_of((session, no), token, bytes(vec), blob, place(block, seq), losses, round_)
        for session, no, token, vec, losses, round_, block, seq, blob in rows
    }


async def _taken(
    line: Line, places: Sequence[tuple[int, ...]], lease: Lease
) -> dict[_Place, tuple[int, bytes, int, int]]:
    """Claim those of (session, number, round) that are ready; return token, vector, losses and round of each."""
    if not places:
        return {}
    columns = [list(column) for column in zip(*places, strict=True)]
    rows = await line.fetch(QUEUED["take_ready"], lease.length, lease.worker, *columns)
    return {(session, no): (token, bytes(vec), losses, round_) for session, no, token, vec, losses, round_ in rows}


async def _payloads(line: Line, places: Sequence[_Place]) -> dict[_Place, tuple[bytes | None, bytes]]:
    if not places:
        return {}
    rows = await line.fetch(QUEUED["payloads"], *map(list, zip(*places, strict=True)))
    return {(session, no): (blob, place(block, seq)) for session, no, block, seq, blob in rows}
