"""One recipient's timeline: every attempt, with the provider's own words, and the reason for every non-send."""

from __future__ import annotations

import msgspec

from pagerd.core.batches import BatchKey
from pagerd.core.cells import Cell
from pagerd.core.errors import Missing
from pagerd.core.views import AttemptView, TimelineView
from pagerd.ledger import folds, records
from pagerd.ledger.listing import Hit, People
from pagerd.ledger.views import instant
from pagerd.ports.store import Payload, SessionRow, Work
from pagerd.seal.hierarchy import SessionKey


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of one recipient."""

    row: SessionRow
    no: int
    idx: int
    cell: Cell
    payload: Payload | None
    attempts: list[tuple[int, int, bytes]]
    providers: dict[int, str]

    @property
    def hit(self) -> Hit:
        """The recipient, as a list would have found them."""
        return Hit(no=self.no, idx=self.idx, cell=self.cell, payload=self.payload)


def gather(work: Work, row: SessionRow, no: int, idx: int, closed_reason: int) -> Facts:
    """Return all that is known of a place; raise :class:`Missing` where the session has no such place."""
    key = BatchKey(row.number, no)
    size = folds.Sizes(row, work.parts.all(row.number)).of(no)
    if not idx < size:
        raise Missing("there is no such recipient")
    _, people = folds.one(row, work.batches.get(key), size, closed_reason, no)
    return Facts(
        row=work.sessions.by_number(row.number) or row,
        no=no,
        idx=idx,
        cell=people[idx],
        payload=work.parts.payload(row.number, no),
        attempts=work.batches.attempts(key),
        providers=work.providers.names(),
    )


def view(facts: Facts, people: People) -> TimelineView:
    """Return the timeline as the interface shows it."""
    return TimelineView(
        recipient=people.view(facts.hit),
        session_state=facts.row.state.value,
        template=f"{facts.row.template}@{facts.row.version}",
        created_at=instant(facts.row.created_at) or "",
        attempts=[said for attempt in facts.attempts for said in _of_one(facts, attempt, people.key)],
    )


def _of_one(facts: Facts, attempt: tuple[int, int, bytes], key: SessionKey) -> list[AttemptView]:
    token, window, blob = attempt
    record = records.opened(key, facts.row.id, records.place(facts.no, token, window), blob)
    return [
        AttemptView(
            round=record.round,
            token=token,
            provider=facts.providers.get(record.provider, ""),
            outcome=said.kind,
            code=said.code,
            text=said.text,
            started_at=instant(said.started or None),
            ended_at=instant(said.ended or None),
        )
        for said in record.said
        if said.idx == facts.idx
    ]
