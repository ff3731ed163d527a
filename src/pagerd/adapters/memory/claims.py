"""Claiming in memory: due batches first, then fresh ones, in turns over the sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from pagerd.adapters.memory.batches import UNDER_WAY, Lease
from pagerd.adapters.memory.settling import consequences, settle
from pagerd.adapters.memory.store import Tables
from pagerd.core import cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import Priority
from pagerd.core.resolution import HELD, LOSSES_IN_ALL, LOSSES_TOGETHER, POISON, Moves, died, died_as, taken_over
from pagerd.core.states import BatchState, SessionState
from pagerd.ports.ledger import Arrival, Want
from pagerd.ports.store import BatchRow, SessionRow

_NEVER = 1e18
_RUNS = frozenset({SessionState.READY, SessionState.RUNNING})


def runs(session: SessionRow, now: float) -> bool:
    """Tell whether a session's messages may leave now."""
    return session.state in _RUNS and (session.expires_at is None or session.expires_at > now)


class Claims:
    """Takes batches for a worker inside a transaction; remembers whose turn it is among the sessions."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._last = dict.fromkeys(Priority, 0)

    def take(self, wants: Sequence[Want], lease: Lease, now: float) -> list[Claim]:
        """Return claims for ``wants``; what one finds the next ones need not."""
        claims: list[Claim] = []
        for want in wants:
            room = max(0, want.batches - len(claims))
            claims += self._take(msgspec.structs.replace(want, batches=room), lease, now)
        return claims

    def _take(self, want: Want, lease: Lease, now: float) -> list[Claim]:
        claims: list[Claim] = []
        for session, row in self._due(want, now):
            if len(claims) == want.batches:
                return claims
            if runs(session, now):
                claims.append(self._again(session, row, lease, now))
            else:  # a paused session's batches would stand in everybody's way: a resume gives them a time again
                self._tables.batches.put(msgspec.structs.replace(row, run_at=None))
        if not want.alone:
            claims += self._lost(want, want.batches - len(claims), lease, now)
        while want.fresh and not want.alone and len(claims) < want.batches:
            claim = self._next_fresh(want.priority, lease, now)
            if claim is None:
                break
            claims.append(claim)
        return claims

    def take_arrival(self, arrival: Arrival, lease: Lease, now: float) -> Claim | None:
        """Claim a batch that a queue brought; ``None`` where it is not to be worked on now."""
        session = self._tables.sessions.by_number(arrival.key.session)
        if session is None or session.id != arrival.session_id or not self._open(session, arrival.key.no, now):
            return None
        row = self._tables.batches.get(arrival.key)
        if row is None and arrival.key.no >= session.next_no:  # published, and the relay has not written it down yet
            row = self._never_claimed(session, arrival.key)
            arrival = msgspec.structs.replace(arrival, revision=-1)
        if row is None or row.state is not BatchState.READY:
            return None
        claim = self._claim(msgspec.structs.replace(row, round=session.round), Moves(vec=row.vec), lease, now)
        if arrival.revision < session.payload_rev:
            return claim
        return msgspec.structs.replace(claim, payload=arrival.payload, payload_at=arrival.payload_at)

    def _open(self, session: SessionRow, no: int, now: float) -> bool:
        return runs(session, now) and 0 < no <= session.stop_no

    def _lost(self, want: Want, room: int, lease: Lease, now: float) -> list[Claim]:
        """Claim what was published and never came; what may not run stands in nobody's way until a resume."""
        claims: list[Claim] = []
        for row in sorted(self._published(want), key=lambda row: row.published_at or 0.0):
            session = self._tables.sessions.by_number(row.key.session)
            if session is None or session.priority != want.priority:
                continue
            if len(claims) == room:
                break
            if self._open(session, row.key.no, now):
                ready = msgspec.structs.replace(row, round=session.round)
                claims.append(self._claim(ready, Moves(vec=row.vec), lease, now))
            else:
                self._tables.batches.put(msgspec.structs.replace(row, published_at=_NEVER))
        return claims

    def _published(self, want: Want) -> list[BatchRow]:
        return [
            row
            for row in self._tables.batches.rows.rows()
            if row.state is BatchState.READY
            and row.published_at is not None
            and row.published_at < want.published_before
        ]

    def give_back(self, row: BatchRow, now: float) -> None:
        """Take a batch from a worker who is gone: a loss; the last one it may have is its end."""
        losses = row.losses + 1
        state, moves = BatchState.WAITING, Moves(vec=row.vec)
        if losses >= LOSSES_IN_ALL:
            state = died_as(row.vec)
            moves = died(row.vec, self._tables.reasons.number(HELD), self._tables.reasons.number(POISON))
        run_at = now if state is BatchState.WAITING else None
        new = msgspec.structs.replace(row, state=state, losses=losses, run_at=run_at, vec=moves.vec)
        self._tables.batches.put(new)
        settle(self._tables, row.key, row.round, consequences(row, new, moves), now)

    def _due(self, want: Want, now: float) -> Iterator[tuple[SessionRow, BatchRow]]:
        """Iterate over the waiting batches of a queue whose time has come, the longest due first."""
        waiting = [
            row
            for row in self._tables.batches.rows.rows()
            if row.state is BatchState.WAITING and row.run_at is not None and row.run_at <= now
        ]
        for row in sorted(waiting, key=lambda row: row.run_at or 0.0):
            session = self._tables.sessions.by_number(row.key.session)
            alone = row.losses >= LOSSES_TOGETHER
            if session is not None and alone == want.alone and (alone or session.priority == want.priority):
                yield session, row

    def _again(self, session: SessionRow, row: BatchRow, lease: Lease, now: float) -> Claim:
        """Claim a batch that waited; whoever its last worker left behind is resolved."""
        held = self._tables.reasons.number(HELD)
        moves = taken_over(row.vec, session.on_doubt, held, now) or Moves(vec=row.vec)
        return self._claim(row, moves, lease, now)

    def _next_fresh(self, priority: Priority, lease: Lease, now: float) -> Claim | None:
        """Claim the next fresh batch of the session whose turn it is; ``None``: there is none."""
        while sessions := self._in_turn(priority, now):
            session = sessions[0]
            started = now if session.started_at is None else session.started_at
            self._tables.sessions.claimed(
                msgspec.structs.replace(
                    session, next_no=session.next_no + 1, state=SessionState.RUNNING, started_at=started
                )
            )
            self._last[priority] = session.number
            key = BatchKey(session.number, session.next_no)
            row = self._tables.batches.get(key) or self._never_claimed(session, key)
            if row.state is BatchState.READY:  # else it was settled at the door: everybody refused or a duplicate
                row = msgspec.structs.replace(row, round=session.round)
                return self._claim(row, Moves(vec=row.vec), lease, now)
        return None

    def _in_turn(self, priority: Priority, now: float) -> list[SessionRow]:
        """Return the sessions with fresh batches, the one after the last served first."""
        fresh = [
            session
            for session in self._tables.sessions.next_after(0, 1 << 30)
            if session.priority == priority and session.next_no <= session.stop_no and runs(session, now)
        ]
        return sorted(fresh, key=lambda session: (session.number <= self._last[priority], session.number))

    def _never_claimed(self, session: SessionRow, key: BatchKey) -> BatchRow:
        payload = self._tables.parts.payload(key.session, key.no)
        return BatchRow(
            key=key,
            state=BatchState.READY,
            token=0,
            losses=0,
            round=session.round,
            run_at=None,
            vec=cells.fresh(0 if payload is None else payload.n),
        )

    def _claim(self, row: BatchRow, moves: Moves, lease: Lease, now: float) -> Claim:
        new = msgspec.structs.replace(row, state=BatchState.CLAIMED, token=row.token + 1, run_at=None, vec=moves.vec)
        self._tables.batches.put(new, lease)
        settle(self._tables, row.key, row.round, consequences(row, new, moves), now)
        payload = self._tables.parts.payload(row.key.session, row.key.no)
        return Claim(
            key=row.key,
            token=new.token,
            vec=new.vec,
            payload=b"" if payload is None else payload.blob,
            payload_at=b"" if payload is None else payload.block.to_bytes(4, "big") + payload.seq.to_bytes(4, "big"),
            losses=row.losses,
            round=row.round,
        )


def held(tables: Tables) -> list[tuple[BatchRow, Lease]]:
    """Return every batch that is under way, with its lease."""
    return [
        (row, lease)
        for key, lease in tables.batches.leases.items()
        if (row := tables.batches.rows.get(key)) is not None and row.state in UNDER_WAY
    ]
