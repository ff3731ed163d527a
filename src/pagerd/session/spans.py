"""What a relay publishes next: a run of fresh batches of each session, not further ahead than it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pagerd.core import cells
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState
from pagerd.ports.ledger import Arrival
from pagerd.ports.queue import Parcel
from pagerd.ports.store import Payload, Published, SessionRow, Work

AHEAD: Final = 1_000
"""So many batches of a session may be published that nobody has claimed yet."""
_SESSIONS: Final = 32
_REMEMBERED: Final = 10_000

Name = tuple[int, int]
"""A session and its round."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A run of fresh batches of one session; those settled at the door are in no parcel.

    ``unpublished`` is how many batches the session had ready beside those that a queue was given; ``None`` for a
    session that is too small to get too far ahead.
    """

    session: int
    round: int
    priority: Priority
    numbers: range
    parcels: Sequence[Parcel] = ()
    erased: Sequence[int] = ()
    unpublished: int | None = None

    @property
    def end(self) -> int:
        """The number behind the last batch."""
        return self.numbers.stop

    def rows(self, taken: Mapping[BatchKey, bool], now: float) -> list[Published]:
        """Return what is to be written down; what the broker did not take is found in the store at once."""
        sent = [self._row(p.arrival.key.no, p.arrival.n, now if taken[p.arrival.key] else 0.0) for p in self.parcels]
        return sent + [self._row(no, 0, 0.0) for no in self.erased]

    def _row(self, no: int, n: int, at: float) -> Published:
        key = BatchKey(self.session, no)
        return Published(key=key, priority=self.priority, round=self.round, vec=cells.fresh(n), at=at)


class Ahead:
    """Remembers of big sessions how many batches are unpublished: what is ready beside them waits in the queue."""

    def __init__(self) -> None:
        self._unpublished: dict[Name, int] = {}

    def known(self) -> dict[Name, int]:
        """Return what is remembered, as it is now."""
        return dict(self._unpublished)

    def published(self, span: Span) -> None:
        """Take note that a span was published and written down."""
        if span.unpublished is not None:
            if len(self._unpublished) >= _REMEMBERED:
                self._unpublished.clear()
            self._unpublished[span.session, span.round] = span.unpublished - len(span.parcels) - len(span.erased)


def fresh_spans(
    work: Work, priority: Priority, after: int, now: float, batches: int, known: Mapping[Name, int]
) -> list[Span]:
    """Return a span for each session whose turn it is, ``batches`` in all at most; those behind ``after`` first."""
    rows = work.sessions.fresh(priority, after, now, _SESSIONS)
    if len(rows) < _SESSIONS and after:
        again = work.sessions.fresh(priority, 0, now, _SESSIONS - len(rows))
        rows += [row for row in again if row.number <= after]
    share = max(1, batches // len(rows)) if rows else 0
    return [_span(work, row, share, known) for row in rows]


def _span(work: Work, row: SessionRow, share: int, known: Mapping[Name, int]) -> Span:
    room, unpublished = share, None
    if row.last_no > AHEAD:
        ready = work.sessions.counts(row.number).batches_ready
        unpublished = known.get((row.number, row.round))
        if unpublished is None:
            unpublished = ready - work.batches.unclaimed(row.number)
        room = max(0, min(share, AHEAD - (ready - unpublished)))
    last = min(row.stop_no, row.next_no + room - 1)
    parcels, erased = _parcels(work, row, last)
    return Span(
        session=row.number,
        round=row.round,
        priority=row.priority,
        numbers=range(row.next_no, last + 1),
        parcels=parcels,
        erased=erased,
        unpublished=unpublished,
    )


def _parcels(work: Work, row: SessionRow, last: int) -> tuple[list[Parcel], list[int]]:
    """Return the parcels of the batches up to ``last``, and the numbers of those whose payload was erased."""
    first = row.next_no
    if last < first:
        return [], []
    standing = {b.key.no: b.state for b in work.batches.page(row.number, first - 1, last - first + 1)}
    payloads = work.parts.payloads(row.number, first, last)
    open_ones = [no for no in range(first, last + 1) if standing.get(no, BatchState.READY) is BatchState.READY]
    parcels = [
        Parcel(arrival=_arrival(row, no, payloads[no]), priority=row.priority) for no in open_ones if no in payloads
    ]
    return parcels, [no for no in open_ones if no not in payloads]


def _arrival(row: SessionRow, no: int, payload: Payload) -> Arrival:
    return Arrival(
        key=BatchKey(row.number, no),
        session_id=row.id,
        n=payload.n,
        payload=payload.blob,
        payload_at=payload.block.to_bytes(4, "big") + payload.seq.to_bytes(4, "big"),
        revision=row.payload_rev,
    )
