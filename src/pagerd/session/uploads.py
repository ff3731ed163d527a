"""Big audiences: parts streamed into a staging session, each kept whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final

import msgspec

from pagerd.audience import duplicates
from pagerd.audience.files import FileKind, open_reader
from pagerd.audience.reader import Reader
from pagerd.audience.rows import Checked
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Invalid, Missing, WrongState
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.policy import OnInvalid, SessionSpec
from pagerd.core.recipients import Recipient
from pagerd.core.requests import Asker
from pagerd.core.states import SessionState
from pagerd.core.views import PartView, SessionView
from pagerd.ledger import specs
from pagerd.ledger.accounts import Accounts
from pagerd.ports.store import PartRow, Payload, SessionRow, Work
from pagerd.seal.hierarchy import SessionKey
from pagerd.session.admission import Desk
from pagerd.session.cutting import Cutter
from pagerd.session.starting import Starter
from pagerd.templates.library import Templates

_AT_ONCE: Final = 250
"""Batches in one transaction: a few milliseconds of the writer's time."""
_LAST_PART: Final = 1_000_000


class Uploads:
    """Takes parts in, lists them, and starts what they make."""

    def __init__(self, desk: Desk, accounts: Accounts, templates: Templates) -> None:
        self._d = desk
        self._starter = Starter(desk, accounts)
        self._accounts = accounts
        self._templates = templates

    async def put_part(  # noqa: PLR0913 - what HTTP says about a body
        self,
        asker: Asker,
        session_id: str,
        part: int,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        delimiter: str | None = None,
        digest: bytes | None = None,
        line_offset: int = 0,
    ) -> PartView:
        """Keep one part of an audience; the same number again replaces it, an error or a broken stream leaves nothing.

        ``digest`` is the SHA-256 that the sender promised; ``line_offset`` is added to each person's line. Bad rows
        under ``fail`` raise :class:`Invalid` with all of them; under ``skip`` they are in the answer and count as
        rejected.
        """
        row = await self._staging(asker, session_id)
        self._d.refuse_when_full()
        if not 1 <= part <= _LAST_PART:
            raise Invalid(f"parts are numbered from 1 to {_LAST_PART}", code="part_number")
        key = await self._d.seal.session_key(row.key_id)
        spec = specs.opened(key, row.id, row.spec)
        compiled = await self._templates.compiled(row.workspace, row.template, row.version)
        reader = open_reader(
            _kind(content_type),
            Coercer(compiled.variables, spec.data),
            spec.channel,
            spec.on_invalid,
            region=spec.region,
            delimiter=delimiter,
        )
        intake = Intake(self._d, row, key, spec, reader, self._new_block(), line_offset)
        try:
            return await intake.take(part, chunks, digest)
        except BaseException:
            await self._drop(row.number, intake.block)
            raise

    async def parts(self, asker: Asker, session_id: str) -> list[PartView]:
        """Return the parts that a session has so far, in order of their number."""
        row = await self._accounts.row(asker, session_id)
        rows = await self._d.store.read(lambda work: work.parts.all(row.number))
        return [_view(part) for part in rows]

    async def start(self, asker: Asker, session_id: str, *, parts: int, recipients: int) -> SessionView:
        """Start the session, if what is there is what the asker counted; see :class:`Starter`."""
        return await self._starter.start(asker, session_id, parts=parts, recipients=recipients)

    async def _staging(self, asker: Asker, session_id: str) -> SessionRow:
        row = await self._accounts.row(asker, session_id)
        if row.is_message:
            raise Missing(f"there is no session {session_id}")
        if row.state is not SessionState.STAGING:
            raise WrongState("parts are taken until the session is started", current=row.state.value)
        return row

    def _new_block(self) -> int:
        return int.from_bytes(self._d.chance.new_id()[-4:], "big") & 0x7FFFFFFF or 1

    async def _drop(self, session: int, block: int) -> None:
        while await self._d.store.work(partial(_drop_some, session, block)):
            pass


class Intake:
    """One part on its way in."""

    def __init__(
        self,
        desk: Desk,
        row: SessionRow,
        key: SessionKey,
        spec: SessionSpec,
        reader: Reader,
        block: int,
        line_offset: int,
    ) -> None:
        self._line_offset = line_offset
        self.block = block
        self._d = desk
        self._row = row
        self._spec = spec
        self._reader = reader
        self._cutter = Cutter(key, row.id, block, row.batch_size)
        self._waiting: list[Payload] = []
        self._addresses: list[bytes] = []
        self._flawed: list[tuple[int, int, int]] = []

    async def take(self, part: int, chunks: AsyncIterator[bytes], promised: bytes | None) -> PartView:
        """Read, cut and store everything, then make it visible in one commit."""
        digest = hashlib.sha256()
        async for chunk in chunks:
            digest.update(chunk)
            for people in self._reader.feed(chunk):
                await self._cut(people)
        for people in self._reader.end():
            await self._cut(people)
        if promised is not None and promised != digest.digest():
            raise Invalid("the body is not what its Content-Digest says: send the part again", code="digest_mismatch")
        if self._spec.on_invalid is OnInvalid.FAIL:
            self._reader.faults.refuse()
        last = self._cutter.end()
        if last is not None:
            self._waiting.append(last)
        await self._store()
        return await self._commit(part, digest.digest())

    async def _cut(self, people: Sequence[Checked]) -> None:
        index = self._d.seal.index
        for person in people:
            seq, idx = self._cutter.next_place
            flaw = person.recipient.flaw
            if flaw is not None:
                reason = await self._d.book.number(Reason(ReasonClass.INVALID, flaw.code))
                self._flawed.append((seq, idx, reason))
            if person.normalised:
                address = index.of(person.normalised)
                self._addresses.append(duplicates.record(address, seq, idx, flawed=flaw is not None))
            payload = self._cutter.add(self._placed(person.recipient))
            if payload is not None:
                self._waiting.append(payload)
                if len(self._waiting) >= _AT_ONCE:
                    await self._store()

    def _placed(self, person: Recipient) -> Recipient:
        if not self._line_offset:
            return person
        return msgspec.structs.replace(person, line=person.line + self._line_offset)

    async def _store(self) -> None:
        payloads, self._waiting = self._waiting, []
        number = self._row.number
        if payloads:
            await self._d.store.work(lambda work: work.parts.add_payloads(number, payloads))

    async def _commit(self, part: int, digest: bytes) -> PartView:
        row = PartRow(
            session=self._row.number,
            part=part,
            block=self.block,
            recipients=self._cutter.recipients,
            batches=self._cutter.batches,
            flaws=len(self._flawed),
            flawed=msgspec.msgpack.encode(self._flawed),
            digest=digest,
            received_at=self._d.clock.now(),
        )
        records = duplicates.sort_block(b"".join(self._addresses))

        def change(work: Work) -> None:
            now = work.sessions.by_number(row.session)
            if now is None or now.state is not SessionState.STAGING:
                raise WrongState("the session was started meanwhile", current=now.state.value if now else "gone")
            work.parts.add_addresses(row.session, row.block, records)
            work.parts.put(row)

        await self._d.store.work(change)
        view = _view(row)
        return msgspec.structs.replace(
            view, errors=self._reader.faults.kept, ignored_columns=list(self._reader.ignored_columns)
        )


def _drop_some(session: int, block: int, work: Work) -> int:
    # Whoever is cancelled while the last commit is on its way can't know that it came through: then the part is kept.
    if any(part.block == block for part in work.parts.all(session)):
        return 0
    return work.parts.drop_block(session, block, _AT_ONCE)


def _kind(content_type: str) -> FileKind:
    try:
        return FileKind(content_type.partition(";")[0].strip().lower())
    except ValueError:
        known = ", ".join(FileKind)
        raise Invalid(f"an audience is {known}, not {content_type!r}", code="media_type_unknown") from None


def _view(row: PartRow) -> PartView:
    return PartView(
        part=row.part, recipients=row.recipients, batches=row.batches, flaws=row.flaws, digest=row.digest.hex()
    )
