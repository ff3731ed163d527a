"""Reading: what the ledger tells people about sessions, batches and recipients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

from pagerd.core import ids
from pagerd.core.errors import Gone, Missing
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.recipients import Recipient
from pagerd.core.requests import Asker
from pagerd.core.states import UNSETTLED, BatchState, RecipientState, SessionState
from pagerd.core.views import BatchView, Page, RecipientView, SessionView, TimelineView
from pagerd.ledger import folds, listing, timelines
from pagerd.ledger.reasons import ReasonBook
from pagerd.ledger.views import Tallied, session_view
from pagerd.ports.store import SessionRow, Store, Work
from pagerd.ports.time import Clock
from pagerd.seal.hierarchy import Seal, SessionKey

CANCELLED: Final = Reason(ReasonClass.CANCELLED, "cancelled")
EXPIRED: Final = Reason(ReasonClass.EXPIRED, "expired")


class Accounts:
    """Answers what became of whom. Every answer is one consistent snapshot."""

    def __init__(
        self, store: Store, seal: Seal, book: ReasonBook, clock: Clock, normalised: Callable[[str], str]
    ) -> None:
        """``normalised`` gives an address as the blind index knows it; raises :class:`Invalid` for what is none."""
        self._normalised = normalised
        self._store = store
        self._seal = seal
        self._book = book
        self._clock = clock

    async def session(self, asker: Asker, session_id: str) -> SessionView:
        """Return a session with its balance; raise :class:`Missing` for one that is not the asker's."""
        raw = ids.read(ids.SESSION, session_id)

        def look(work: Work) -> tuple[SessionRow, SessionView]:
            row = work.sessions.get(asker.workspace, raw)
            if row is None:
                raise Missing(f"there is no session {session_id}")
            return row, self._view(work, row, known)

        known = await self._reasons()
        row, view = await self._store.read(look)
        return await self._with_spec(row, view)

    async def sessions(self, asker: Asker, *, limit: int, cursor: str | None, state: str | None) -> Page[SessionView]:
        """Return sessions, newest first."""
        before = ids.read(ids.SESSION, cursor) if cursor else None
        wanted = SessionState(state) if state else None
        known = await self._reasons()

        def look(work: Work) -> list[SessionView]:
            rows = work.sessions.newest(asker.workspace, limit + 1, before, wanted)
            return [self._view(work, row, known) for row in rows]

        found = await self._store.read(look)
        return Page(items=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def recipients(
        self,
        asker: Asker,
        session_id: str,
        *,
        state: str | None,
        reason_class: str | None,
        code: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[RecipientView]:
        """Return recipients in file order, each with its line; filters narrow by state and reason."""
        row = await self.row(asker, session_id)
        numbers = await self._book.where(reason_class, code) if reason_class or code else None
        wanted = listing.Wanted(
            state=RecipientState[state.upper()] if state else None,
            reasons=None if numbers is None else frozenset(numbers),
            after=listing.read_cursor(cursor),
            limit=limit,
            closed_reason=await self.closed_reason(row),
        )
        found, following = await self._store.read(lambda work: listing.find(work, row, wanted))
        key = await self._seal.session_key(row.key_id)
        reasons = await self._book.ready(hit.cell.code for hit in found)
        people = listing.People(row, key, self._seal.index, reasons, asker)
        items = [people.view(hit) for hit in found]
        return Page(items=items, next_cursor=following)

    async def batches(
        self, asker: Asker, session_id: str, *, state: str | None, limit: int, cursor: str | None
    ) -> Page[BatchView]:
        """Return batches in order of their number."""
        row = await self.row(asker, session_id)
        reason = await self.closed_reason(row)
        after = listing.read_number(cursor)
        wanted = BatchState[state.upper()] if state else None

        def look(work: Work) -> list[BatchView]:
            found = []
            for no, at, vec, batch in folds.everyone(work, row, reason, after):
                if wanted is None or at is wanted:
                    found.append(listing.batch_view(row, no, at, vec, batch))
                    if len(found) > limit:
                        break
            return found

        views = await self._store.read(look)
        return Page(items=views[:limit], next_cursor=str(views[limit - 1].no) if len(views) > limit else None)

    async def recipient(self, asker: Asker, recipient_id: str) -> TimelineView:
        """Return everything about one recipient; raise :class:`Missing` for a made-up identifier."""
        place, tail = ids.read_recipient_id(recipient_id)
        if tail != self._seal.index.tail(ids.place_bytes(place)):
            raise Missing(f"there is no recipient {recipient_id}")
        row = await self._row(asker, place.session, recipient_id)
        return await self._timeline(asker, row, place.no, place.idx)

    async def settled(self, asker: Asker, recipient_id: str, timeout: float) -> TimelineView:  # noqa: ASYNC109
        """Return the timeline once the recipient is settled, or as it stands after ``timeout`` seconds."""
        deadline = self._clock.monotonic() + timeout
        pause = 0.005
        while True:
            found = await self.recipient(asker, recipient_id)
            left = deadline - self._clock.monotonic()
            if left <= 0 or RecipientState[found.recipient.state.upper()] not in UNSETTLED:
                return found
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, 0.25)

    async def search(
        self, asker: Asker, to: str, *, session: str | None, since: float | None, limit: int = 100
    ) -> list[TimelineView]:
        """Return what happened to one address in all sessions or one, newest first."""
        wanted = self._normalised(to)
        hash8 = self._seal.index.of(wanted)[:8]
        only = await self.row(asker, session) if session else None

        def look(work: Work) -> list[tuple[SessionRow, int, int]]:
            hits = work.addresses.find(asker.workspace, hash8, only.number if only else None, limit)
            rows = {hit.session: work.sessions.by_number(hit.session) for hit in hits}
            return [(row, hit.no, hit.idx) for hit in hits if (row := rows[hit.session]) is not None]

        found = []
        for row, no, idx in await self._store.read(look):
            if since is not None and row.created_at < since:
                continue
            with contextlib.suppress(Gone):  # its key is shredded: nothing that could be told
                facts, people = await self._facts(asker, row, no, idx)
                if self._has(people.person(facts.hit), wanted):
                    found.append(timelines.view(facts, people))
        return found

    def _has(self, person: Recipient | None, wanted: str) -> bool:
        """Tell whether a place that the index gave really has the address: eight bytes of a hash may be another's."""
        return person is None or self._normalised(person.address or person.to) == wanted

    async def row(self, asker: Asker, session_id: str) -> SessionRow:
        """Return a session's row; raise :class:`Missing` for one that is not the asker's."""
        return await self._row(asker, ids.read(ids.SESSION, session_id), session_id)

    async def closed_reason(self, row: SessionRow) -> int:
        """Return the number of the reason that never claimed people of a closed session carry; 0 for an open one."""
        if row.closed_as is None:
            return 0
        return await self._book.number(EXPIRED if row.closed_as is RecipientState.EXPIRED else CANCELLED)

    async def view_of(self, number: int) -> SessionView:
        """Return a session by its row number: what a change that has just been made shows."""
        known = await self._reasons()

        def look(work: Work) -> tuple[SessionRow, SessionView]:
            row = work.sessions.by_number(number)
            if row is None:
                raise Missing
            return row, self._view(work, row, known)

        row, view = await self._store.read(look)
        return await self._with_spec(row, view)

    async def _row(self, asker: Asker, raw: bytes, shown: str) -> SessionRow:
        row = await self._store.read(lambda work: work.sessions.get(asker.workspace, raw))
        if row is None:
            raise Missing(f"there is no {shown}")
        return row

    async def _timeline(self, asker: Asker, row: SessionRow, no: int, idx: int) -> TimelineView:
        facts, people = await self._facts(asker, row, no, idx)
        return timelines.view(facts, people)

    async def _facts(self, asker: Asker, row: SessionRow, no: int, idx: int) -> tuple[timelines.Facts, listing.People]:
        key = await self._seal.session_key(row.key_id)
        reason = await self.closed_reason(row)
        facts = await self._store.read(lambda work: timelines.gather(work, row, no, idx, reason))
        known = await self._book.ready([facts.cell.code])
        return facts, listing.People(row, key, self._seal.index, known, asker)

    async def _reasons(self) -> Mapping[int, Reason]:
        await self._book.load()
        return self._book.known

    def _view(self, work: Work, row: SessionRow, known: Mapping[int, Reason]) -> SessionView:
        tallied: Tallied = work.sessions.reasons(row.number)
        return session_view(row, work.sessions.counts(row.number), tallied, known, None, self._clock.now())

    async def _with_spec(self, row: SessionRow, view: SessionView) -> SessionView:
        key = await self._key(row)
        return view if key is None else listing.with_spec(row, view, key)

    async def _key(self, row: SessionRow) -> SessionKey | None:
        try:
            return await self._seal.session_key(row.key_id)
        except Gone:
            return None
