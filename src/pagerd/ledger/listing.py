"""Recipients and batches as lists: found by state and reason, in file order, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pagerd.core import balance, cells, ids
from pagerd.core.batches import BatchKey
from pagerd.core.cells import Cell
from pagerd.core.errors import Invalid
from pagerd.core.outcomes import Reason
from pagerd.core.recipients import Recipient
from pagerd.core.requests import Asker
from pagerd.core.states import EXCEPTIONAL, FINISHED_BATCH, BatchState, RecipientState
from pagerd.core.views import BatchView, RecipientView, SessionView
from pagerd.ledger import folds, payloads, specs
from pagerd.ledger.views import instant, masked, reason_of
from pagerd.ports.store import BatchRow, Payload, SessionRow, Work
from pagerd.seal.hierarchy import SessionKey
from pagerd.seal.index import BlindIndex

_FROM_START: Final = (0, -1)
_DIGITS: Final = 10


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; ``closed_reason`` is what never claimed people of a closed session carry."""

    state: RecipientState | None
    reasons: frozenset[int] | None
    after: tuple[int, int]
    limit: int
    closed_reason: int

    def takes(self, cell: Cell) -> bool:
        """Tell whether a cell is wanted."""
        if self.state is not None and cell.state is not self.state:
            return False
        return self.reasons is None or cell.code in self.reasons


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient that was found, with the payload of its batch."""

    no: int
    idx: int
    cell: Cell
    payload: Payload | None


def find(work: Work, row: SessionRow, wanted: Wanted) -> tuple[list[Hit], str | None]:
    """Return up to ``limit`` recipients and the cursor for the next ones."""
    hits: list[Hit] = []
    for no, vec in _batches(work, row, wanted):
        payload: Payload | None = None
        for idx, cell in enumerate(cells.unpack(vec)):
            if (no, idx) <= wanted.after or not wanted.takes(cell):
                continue
            if len(hits) == wanted.limit:
                last = hits[-1]
                return hits, f"{last.no}.{last.idx}"
            payload = payload or work.parts.payload(row.number, no)
            hits.append(Hit(no=no, idx=idx, cell=cell, payload=payload))
    return hits, None


def _batches(work: Work, row: SessionRow, wanted: Wanted) -> Iterator[tuple[int, bytes]]:
    """Iterate over (number, vector) of batches that can hold a wanted recipient."""
    start = max(0, wanted.after[0] - 1)
    if row.closed_as is None and (wanted.state in EXCEPTIONAL or wanted.reasons is not None):
        yield from _exceptional(work, row, wanted, start)
        return
    for no, _, vec, _ in folds.everyone(work, row, wanted.closed_reason, start):
        yield no, vec


def _exceptional(work: Work, row: SessionRow, wanted: Wanted, start: int) -> Iterator[tuple[int, bytes]]:
    """Go by the rows of exceptional recipients: few, however big the session."""
    after = (start, 1 << 16)
    sizes = folds.Sizes(row, work.parts.all(row.number))
    reasons = None if wanted.reasons is None else sorted(wanted.reasons)
    while True:
        found = work.batches.exceptions(
            row.number, state=wanted.state, reasons=reasons, after=after, limit=wanted.limit + 1
        )
        for no in dict.fromkeys(e.no for e in found):
            at = work.batches.get(BatchKey(row.number, no))
            _, people = folds.one(row, at, sizes.of(no), wanted.closed_reason, no)
            yield no, cells.pack(people)
        if len(found) <= wanted.limit:
            return
        after = (found[-1].no, 1 << 16)


def read_cursor(cursor: str | None) -> tuple[int, int]:
    """Return the place that a cursor names; raise :class:`Invalid` for one that no list gave."""
    if not cursor:
        return _FROM_START
    no, _, idx = cursor.partition(".")
    return _number(no, cursor), _number(idx, cursor)


def read_number(cursor: str | None) -> int:
    """Return the batch that a cursor names; raise :class:`Invalid` for one that no list gave."""
    return _number(cursor, cursor) if cursor else 0


def _number(digits: str, cursor: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        raise Invalid(f"{cursor[:64]!r} is not a cursor that a list gave", code="cursor_invalid")
    return int(digits)


class People:
    """Turns hits into what is shown, opening each payload once."""

    def __init__(
        self, row: SessionRow, key: SessionKey, index: BlindIndex, reasons: Mapping[int, Reason], asker: Asker
    ) -> None:
        self._row = row
        self.key: Final = key
        self._index = index
        self._reasons = reasons
        self._clear = asker.sees_addresses
        self._opened: tuple[Payload, list[Recipient]] | None = None

    def view(self, hit: Hit) -> RecipientView:
        """Return a recipient as the interface shows it."""
        person = self.person(hit)
        place = ids.Place(self._row.id, hit.no, hit.idx)
        return RecipientView(
            id=ids.recipient_id(place, self._index.tail(ids.place_bytes(place))),
            session=ids.written(ids.SESSION, self._row.id),
            batch=ids.batch_id(self._row.id, hit.no),
            line=person.line if person else 0,
            to=self._shown(person),
            state=hit.cell.state.word,
            attempts=hit.cell.attempt,
            possible_duplicate=hit.cell.possible_duplicate,
            reason=reason_of(self._reasons.get(hit.cell.code)),
            reference=person.id if person else None,
            not_before=instant(hit.cell.not_before or None),
        )

    def person(self, hit: Hit) -> Recipient | None:
        """Return the person of a hit; ``None`` after an erasure."""
        if hit.payload is None:
            return None
        if self._opened is None or self._opened[0] is not hit.payload:
            at = payloads.place(hit.payload.block, hit.payload.seq)
            self._opened = (hit.payload, payloads.opened(self.key, self._row.id, at, hit.payload.blob))
        return self._opened[1][hit.idx]

    def _shown(self, person: Recipient | None) -> str | None:
        if person is None:
            return None
        return person.to if self._clear else masked(person.to)


def batch_view(row: SessionRow, no: int, state: BatchState, vec: bytes, found: BatchRow | None) -> BatchView:
    """Return a batch as the interface shows it."""
    tally = balance.fold_vector(vec)
    outcomes = {s.word: tally[s] for s in RecipientState if tally[s]}
    told = tally[RecipientState.ACCEPTED] + tally[RecipientState.UNKNOWN] + tally[RecipientState.IN_DOUBT]
    return BatchView(
        id=ids.batch_id(row.id, no),
        no=no,
        state=state.word,
        size=len(vec) // cells.SIZE,
        round=found.round if found else row.round,
        claims=found.token if found else 0,
        losses=found.losses if found else 0,
        effects=_effects(state, told, len(vec) // cells.SIZE),
        outcomes=outcomes,
        run_at=instant(found.run_at) if found and found.run_at and found.run_at < 1e17 else None,
    )


def _effects(state: BatchState, told: int, size: int) -> str:
    if not told:
        return "none" if state in FINISHED_BATCH else "none_yet"
    return "all" if told == size else "partial"


def with_spec(row: SessionRow, view: SessionView, key: SessionKey) -> SessionView:
    """Return a session's view with what only its key opens."""
    spec = specs.opened(key, row.id, row.spec)
    return msgspec.structs.replace(view, reference=spec.reference, metadata=spec.metadata)
