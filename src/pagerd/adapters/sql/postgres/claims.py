"""Claiming: due batches first, then what the broker lost, then fresh ones in turns over the sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pagerd.adapters.sql.postgres.arrivals import lost
from pagerd.adapters.sql.postgres.lines import Line, Row
from pagerd.adapters.sql.postgres.statements import HOT
from pagerd.adapters.sql.postgres.tally import Tally
from pagerd.adapters.sql.postgres.terms import Lease, claim_of, place
from pagerd.adapters.sql.queues import ALONE
from pagerd.adapters.sql.turns import Fresh, shares
from pagerd.core import balance
from pagerd.core.batches import Claim
from pagerd.core.policy import OnDoubt, Priority
from pagerd.core.resolution import Moves, taken_over
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Want

_SESSIONS_AT_ONCE: Final = 64
_LOOKS: Final = 20
"""So often one claim looks again for what is due, behind batches of sessions that do not run."""
_RUNS: Final = ("ready", "running")
_READY_TO_CLAIMED: Final = balance.change((BatchState.READY, b""), (BatchState.CLAIMED, b""))


class _Seen(msgspec.Struct, frozen=True):
    """What there may be to claim: the queues in which something is due, and the sessions with fresh batches."""

    due: set[int]
    fresh: Mapping[int, list[Fresh]]


class Claims:
    """Makes claims inside a transaction. It remembers where the round over sessions stood."""

    def __init__(self) -> None:
        self._last_served = {Priority.URGENT: 0, Priority.BULK: 0}

    async def take(
        self, line: Line, tally: Tally, wants: Sequence[Want], lease: Lease, under_way: Mapping[int, int]
    ) -> list[Claim]:
        """Return claims for ``wants``; ``under_way`` says how many batches of each session this process has."""
        claims: list[Claim] = []
        if not wants:
            return claims
        seen = await self._look(line, wants, lease)
        for want in wants:
            queue = _queue(want)
            if queue in seen.due and (room := want.batches - len(claims)) > 0:
                claims += await _waiting(line, tally, queue, room, lease)
            if not want.alone and want.published_before and (room := want.batches - len(claims)) > 0:
                claims += await lost(line, tally, want, room, lease)
            if queue in seen.fresh and (room := want.batches - len(claims)) > 0:
                claims += await self._fresh(line, tally, want, room, lease, (seen.fresh[queue], under_way))
        return claims

    async def _look(self, line: Line, wants: Sequence[Want], lease: Lease) -> _Seen:
        rows = await line.fetch(
            HOT["look"],
            [_queue(want) for want in wants],
            [0 if want.alone else self._last_served[want.priority] for want in wants],
            [want.fresh and not want.alone for want in wants],
            lease.now,
        )
        due: set[int] = set()
        fresh: defaultdict[int, list[Fresh]] = defaultdict(list)
        for queue, number, next_no, stop_no in rows:
            if number:
                fresh[queue].append((number, next_no, stop_no, 0))
            else:
                due.add(queue)
        return _Seen(due, fresh)

    async def _fresh(
        self,
        line: Line,
        tally: Tally,
        want: Want,
        n: int,
        lease: Lease,
        seen: tuple[list[Fresh], Mapping[int, int]],
    ) -> list[Claim]:
        """Claim up to ``n`` fresh batches; it looks again while a neighbour was quicker, and work is left."""
        claims: list[Claim] = []
        sessions, under_way = seen
        while sessions:
            wanted = shares(sessions[:_SESSIONS_AT_ONCE], under_way, n - len(claims))
            rows = await _advance(line, wanted, lease)
            got = await _take_fresh(line, rows, lease)
            for claim in got:
                tally.count(claim.key.session, _READY_TO_CLAIMED)
            claims += _in_turn(got, [session for session, *_ in wanted])
            self._last_served[want.priority] = wanted[-1][0]
            asked = sum(last - first + 1 for _, first, last, _ in wanted)
            if len(claims) == n or (len(got) == asked and len(sessions) < _SESSIONS_AT_ONCE):
                break
            sessions = (await self._look(line, [want], lease)).fresh.get(_queue(want), [])
        return claims


def _queue(want: Want) -> int:
    return ALONE if want.alone else int(want.priority)


def _in_turn(claims: Sequence[Claim], sessions: Sequence[int]) -> list[Claim]:
    turn = {session: at for at, session in enumerate(sessions)}
    return sorted(claims, key=lambda claim: (turn[claim.key.session], claim.key.no))


async def _advance(line: Line, wanted: Sequence[Fresh], lease: Lease) -> Sequence[Row]:
    numbers = [session for session, *_ in wanted]
    return await line.fetch(HOT["advance"], numbers, [last - first + 1 for _, first, last, _ in wanted], lease.now)


async def _take_fresh(line: Line, rows: Sequence[Row], lease: Lease) -> list[Claim]:
    """Claim the ranges (session, first, last, round, queue); what was settled at the door is left out."""
    if not rows:
        return []
    columns = [list(column) for column in zip(*rows, strict=True)]
    found = await line.fetch(HOT["take_fresh"], lease.length, lease.worker, *columns)
    return [
        claim_of((session, no), token, bytes(vec), blob, place(block, seq), losses, round_)
        for session, no, token, vec, losses, round_, block, seq, blob in found
    ]


async def _waiting(line: Line, tally: Tally, queue: int, n: int, lease: Lease) -> list[Claim]:
    claims: list[Claim] = []
    for _ in range(_LOOKS):  # what is parked stands in nobody's way: behind it somebody may be due
        room = n - len(claims)
        rows = await line.fetch(HOT["due"], queue, lease.now, room) if room else ()
        if not rows:
            break
        parked = [row for row in rows if row[6] not in _RUNS or (row[8] is not None and row[8] <= lease.now)]
        if parked:
            await line.fetch(HOT["park"], [row[0] for row in parked], [row[1] for row in parked])
        claims += await _take_due(line, tally, [row for row in rows if row not in parked], lease)
    return claims


async def _take_due(line: Line, tally: Tally, rows: Sequence[Row], lease: Lease) -> list[Claim]:
    if not rows:
        return []
    vecs = {}
    for session, no, _, _, round_, vec, _, on_doubt, _ in rows:
        moves = taken_over(bytes(vec), OnDoubt(on_doubt), lease.held, lease.now) or Moves(vec=bytes(vec))
        tally.count(session, balance.change((BatchState.WAITING, bytes(vec)), (BatchState.CLAIMED, moves.vec)))
        tally.moves(session, no, round_, moves)
        vecs[session, no] = moves.vec
    found = await line.fetch(
        HOT["take_waiting"],
        lease.length,
        lease.worker,
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] + 1 for row in rows],
        list(vecs.values()),
    )
    payloads = {(session, no): (block, seq, blob) for session, no, block, seq, blob in found}
    claims = []
    for session, no, token, losses, round_, *_ in rows:
        block, seq, blob = payloads[session, no]
        key = (session, no)
        claims.append(claim_of(key, token + 1, vecs[key], blob, place(block, seq), losses, round_))
    return claims
