"""The start of an uploaded session: parts are numbered, duplicates found, and one row makes it visible to workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from pagerd.audience.addresses import checked
from pagerd.audience.duplicates import Duplicate, find_duplicates
from pagerd.core.balance import Counts, verdict
from pagerd.core.errors import Conflict, Invalid, WrongState
from pagerd.core.recipients import Flaw
from pagerd.core.requests import Asker
from pagerd.core.states import RecipientState, SessionState
from pagerd.core.views import SessionView
from pagerd.ledger import folds, payloads
from pagerd.ledger.accounts import Accounts
from pagerd.ports.store import PartRow, SessionRow, Work
from pagerd.session.admission import DUPLICATE, Desk
from pagerd.session.keeping import first_state, keep_seeds
from pagerd.session.seeding import Seeds, merged, seeds

_AT_ONCE: Final = 250


class Starter:
    """Starts staged sessions. A start that a crash interrupts leaves the session staged, and is made again."""

    def __init__(self, desk: Desk, accounts: Accounts) -> None:
        self._d = desk
        self._accounts = accounts
        self._one_at_a_time: dict[int, asyncio.Lock] = {}

    async def start(self, asker: Asker, session_id: str, *, parts: int, recipients: int) -> SessionView:
        """Return the session, running or scheduled; ``parts`` and ``recipients`` must be what was kept.

        Raise :class:`Conflict` (``parts_mismatch``) where they are not. Starting a started session is harmless.
        """
        row = await self._accounts.row(asker, session_id)
        lock = self._one_at_a_time.setdefault(row.number, asyncio.Lock())
        async with lock:
            row = await self._accounts.row(asker, session_id)
            kept = await self._d.store.read(lambda work: work.parts.all(row.number))
            _compare(kept, parts, recipients)
            if row.state is SessionState.STAGING:
                self._d.refuse_when_full()
                await self._start(row, kept)
        self._one_at_a_time.pop(row.number, None)
        return await self._accounts.view_of(row.number)

    async def _start(self, row: SessionRow, kept: list[PartRow]) -> None:
        await self._undo_an_earlier_start(row)
        numbered = _numbered(kept)
        bases = [(part.part, part.base or 0) for part in numbered]
        await self._d.store.work(lambda work: work.parts.number(row.number, bases))
        flawed = _flawed(numbered)
        settled = flawed | await self._duplicates(row, numbered)
        sizes = folds.Sizes(row, numbered)
        parts = []
        places = sorted(settled)
        for batch in _by_whole_batches(places):
            some = seeds(row.number, {place: settled[place] for place in batch}, {no: sizes.of(no) for no, _ in batch})
            await self._d.store.work(partial(_keep_seeds, row.number, some))
            parts.append(msgspec.structs.replace(some, batches=[], exceptions=[]))
        await self._make_visible(row, numbered, parts)
        await self._drop_orphans(row.number)

    async def _undo_an_earlier_start(self, row: SessionRow) -> None:
        store, number = self._d.store, row.number
        while await store.work(lambda work: work.batches.unseed(number, _AT_ONCE)):
            pass
        await store.work(lambda work: work.addresses.drop_segments(row.workspace, number))

    async def _drop_orphans(self, number: int) -> None:
        """Drop what replaced and broken parts left. Only once no part can come any more: one may be on its way."""
        store = self._d.store
        for block in await store.read(lambda work: list(work.parts.orphan_blocks(number))):
            while await store.work(partial(_drop, number, block)):
                pass

    async def _duplicates(
        self, row: SessionRow, parts: Sequence[PartRow]
    ) -> dict[tuple[int, int], tuple[RecipientState, int]]:
        """Find and index every address; return who is told already in this session."""
        store = self._d.store
        blocks = [(part.base or 0, await store.read(partial(_addresses, row.number, part.block))) for part in parts]
        reason = await self._d.book.number(DUPLICATE)
        found: dict[tuple[int, int], tuple[RecipientState, int]] = {}
        same = SameAddress(self._d, row)
        for segment in find_duplicates(blocks):
            await store.work(partial(_add_segment, row, segment.first_byte, segment.records))
            for duplicate in segment.duplicates:
                if await same.really(duplicate):
                    found[duplicate.no, duplicate.idx] = (RecipientState.DUPLICATE, reason)
        return found

    async def _make_visible(self, row: SessionRow, parts: list[PartRow], seeded: list[Seeds]) -> None:
        total = sum(part.recipients for part in parts)
        last = sum(part.batches for part in parts)
        delta, reasons = merged(seeded)
        counts = Counts(pending=total, batches_ready=last) + delta
        now = self._d.clock.now()
        over = verdict(counts)
        started = msgspec.structs.replace(
            row,
            state=over or first_state(row.send_at, now),
            finished_at=now if over else None,
            last_no=last,
            stop_no=last,
            total=total,
        )

        def change(work: Work) -> None:
            current = work.sessions.by_number(row.number)
            if current is None or current.state is not SessionState.STAGING:
                raise WrongState("the session changed meanwhile", current=current.state.value if current else "gone")
            if work.parts.all(row.number) != parts:
                raise Conflict("a part came in while the session was being started", code="parts_mismatch")
            work.sessions.save(started)
            work.sessions.set_counts(row.number, counts)
            for (state, reason), n in reasons.items():
                work.sessions.count_reason(row.number, state, reason, n)

        self._d.failpoint("K0")
        try:
            await self._d.store.work(change)
        except WrongState:  # cancelled meanwhile, and cleared: nothing may be left behind
            await self._undo_an_earlier_start(row)
            raise
        self._d.failpoint("K1")


class SameAddress:
    """Makes sure that two places really have the same address before one of them is withheld: hashes can collide."""

    def __init__(self, desk: Desk, row: SessionRow) -> None:
        self._d = desk
        self._row = row
        self._opened: dict[int, list[str]] = {}

    async def really(self, duplicate: Duplicate) -> bool:
        """Tell whether both places have one address."""
        later = await self._address(duplicate.no, duplicate.idx)
        return later == await self._address(duplicate.first_no, duplicate.first_idx)

    async def _address(self, no: int, idx: int) -> str:
        if no not in self._opened:
            if len(self._opened) > 1_000:
                self._opened.clear()
            self._opened[no] = await self._read(no)
        return self._opened[no][idx]

    async def _read(self, no: int) -> list[str]:
        row = self._row
        key = await self._d.seal.session_key(row.key_id)
        found = await self._d.store.read(lambda work: work.parts.payload(row.number, no))
        if found is None:
            raise Conflict(f"batch {no} of the session is not there any more")
        people = payloads.opened(key, row.id, payloads.place(found.block, found.seq), found.blob)
        return [_normalised(person.address) for person in people]


def _normalised(address: str) -> str:
    mailbox = checked(address)
    return address if isinstance(mailbox, Flaw) else mailbox.normalised


def _keep_seeds(number: int, seeded: Seeds, work: Work) -> None:
    keep_seeds(work, number, seeded)


def _drop(number: int, block: int, work: Work) -> int:
    return work.parts.drop_block(number, block, _AT_ONCE)


def _addresses(number: int, block: int, work: Work) -> bytes:
    return work.parts.addresses(number, block)


def _add_segment(row: SessionRow, first_byte: int, records: bytes, work: Work) -> None:
    work.addresses.add_segments(row.workspace, row.number, [(first_byte, records)])


def _compare(kept: Sequence[PartRow], parts: int, recipients: int) -> None:
    have = sum(part.recipients for part in kept)
    if (len(kept), have) != (parts, recipients):
        raise Conflict(
            f"{len(kept)} parts with {have} people were kept, not {parts} with {recipients}: send what is missing",
            code="parts_mismatch",
        )
    if not have:
        raise Invalid("the audience is empty", code="audience_empty")


def _numbered(kept: Sequence[PartRow]) -> list[PartRow]:
    numbered, base = [], 0
    for part in kept:
        numbered.append(msgspec.structs.replace(part, base=base))
        base += part.batches
    return numbered


def _flawed(parts: Iterable[PartRow]) -> dict[tuple[int, int], tuple[RecipientState, int]]:
    return {
        ((part.base or 0) + seq, idx): (RecipientState.REJECTED, reason)
        for part in parts
        for seq, idx, reason in msgspec.msgpack.decode(part.flawed, type=list[tuple[int, int, int]])
    }


def _by_whole_batches(places: Sequence[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    """Cut sorted places into runs for one transaction each; a batch is never divided."""
    run: list[tuple[int, int]] = []
    for place in places:
        if len(run) >= _AT_ONCE and place[0] != run[-1][0]:
            yield run
            run = []
        run.append(place)
    if run:
        yield run
