"""Admission: all or nothing, one commit, then the 202."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from pagerd.audience.inline import read_inline, read_one
from pagerd.audience.problems import Faults
from pagerd.audience.rows import Checked
from pagerd.core import ids
from pagerd.core.errors import Conflict, Invalid, Unavailable
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.requests import Answer, Asker, MessageRequest, Retry, SessionRequest
from pagerd.core.states import RecipientState
from pagerd.core.views import CheckView, RecipientView
from pagerd.ledger.reasons import ReasonBook
from pagerd.ledger.views import session_view
from pagerd.ports.failpoints import Failpoint
from pagerd.ports.store import SessionRow, Store, Work
from pagerd.ports.time import Chance, Clock
from pagerd.render.errors import RenderFailed
from pagerd.seal.hierarchy import Seal, SessionKey
from pagerd.session.answers import DAY, Answers
from pagerd.session.asking import Plan, Planner
from pagerd.session.cutting import Cutter, cut_all
from pagerd.session.keeping import Cut, keep, session_row

DUPLICATE: Final = Reason(ReasonClass.DUPLICATE, "same_address")
_INLINE_BLOCK: Final = 0
_RENDERED: Final = 10


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What admission works with."""

    store: Store
    seal: Seal
    planner: Planner
    answers: Answers
    book: ReasonBook
    clock: Clock
    chance: Chance
    failpoint: Failpoint
    reserve: int
    """Bytes that must stay free on the disk: below it nothing is admitted."""

    def refuse_when_full(self) -> None:
        """Raise :class:`Unavailable` before the disk is full: what was admitted must be able to end."""
        if self.store.spare() < self.reserve:
            raise Unavailable(
                "the disk is almost full: nothing new is taken on until there is room", code="disk_low", retry_after=60
            )


class Admission:
    """Turns requests into sessions and messages."""

    def __init__(self, desk: Desk) -> None:
        self._d = desk

    async def admit(self, asker: Asker, request: SessionRequest, retry: Retry | None) -> Answer:
        """Return 202 and the session once it is durable; the same request again gets the same answer."""
        return await self._once(asker, retry, lambda: self._session(asker, request, retry))

    async def admit_message(self, asker: Asker, request: MessageRequest, retry: Retry | None) -> Answer:
        """Return 202 and the recipient once the message is durable; the same request again gets the same answer."""
        return await self._once(asker, retry, lambda: self._message(asker, request, retry))

    async def check(self, asker: Asker, request: SessionRequest) -> CheckView:
        """Return what a request would do, and everything that is wrong with its audience; store and send nothing."""
        plan = await self._d.planner.session(asker.workspace, request, self._d.clock.now())
        recipients = request.recipients or []
        people, faults = _people(plan, recipients)
        valid = [person for person in people if person.recipient.flaw is None]
        seen = {person.normalised for person in valid}
        return CheckView(
            recipients=len(recipients),
            valid=len(valid),
            errors=faults.kept,
            error_count=faults.count,
            duplicates=len(valid) - len(seen),
            rendered=[_rendered(plan, person) for person in valid[:_RENDERED]],
        )

    async def _once(self, asker: Asker, retry: Retry | None, admit: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer that this request got before, from whichever process, or else admit it."""
        if retry is None:
            return await admit()
        answers = self._d.answers
        with answers.running(asker, retry):
            if (earlier := await answers.earlier(asker, retry)) is not None:
                return earlier
            try:
                return await admit()
            except Conflict:  # another process was quicker, and nothing of ours was kept
                if (earlier := await answers.earlier(asker, retry)) is None:
                    raise
                return earlier

    async def _session(self, asker: Asker, request: SessionRequest, retry: Retry | None) -> Answer:
        d = self._d
        d.refuse_when_full()
        now = d.clock.now()
        plan = await d.planner.session(asker.workspace, request, now)
        if request.recipients is None:
            key = await d.seal.new_session_key()
            return await self._commit(asker, plan, key, d.chance.new_id(), None, retry)
        people, faults = _people(plan, request.recipients)
        if faults.count and not plan.spec.on_invalid == "skip":
            raise faults.refusal()
        if not people:
            raise Invalid("the audience is empty", code="audience_empty")
        key = await d.seal.new_session_key()
        session = d.chance.new_id()
        return await self._commit(asker, plan, key, session, await self._cut(plan, key, session, people), retry)

    async def _cut(self, plan: Plan, key: SessionKey, session: bytes, people: Sequence[Checked]) -> Cut:
        """Cut an audience into sealed batches; find who is told already in this session, and who can't be told."""
        d = self._d
        duplicate = await d.book.number(DUPLICATE)
        flaws = {p.recipient.flaw.code for p in people if p.recipient.flaw is not None}
        invalid = {code: await d.book.number(Reason(ReasonClass.INVALID, code)) for code in flaws}
        size = plan.spec.batch_size
        seen: set[str] = set()
        settled: dict[tuple[int, int], tuple[RecipientState, int]] = {}
        addresses: list[tuple[bytes, int, int]] = []
        for at, person in enumerate(people):
            place = (at // size + 1, at % size)
            if person.normalised:
                addresses.append((d.seal.index.of(person.normalised), *place))
            if person.recipient.flaw is not None:
                settled[place] = (RecipientState.REJECTED, invalid[person.recipient.flaw.code])
            elif person.normalised in seen:
                settled[place] = (RecipientState.DUPLICATE, duplicate)
            else:
                seen.add(person.normalised)
        cutter = Cutter(key, session, _INLINE_BLOCK, size)
        return Cut(payloads=list(cut_all(cutter, people)), addresses=addresses, settled=settled, recipients=len(people))

    async def _commit(
        self,
        asker: Asker,
        plan: Plan,
        key: SessionKey,
        session: bytes,
        cut: Cut | None,
        retry: Retry | None,
    ) -> Answer:
        d = self._d
        now = d.clock.now()
        row = session_row(asker, plan, key, session, cut, now)
        await d.book.load()
        reasons = d.book.known

        def change(work: Work) -> Answer:
            number, counts, tallied = keep(work, asker, row, cut)
            kept = msgspec.structs.replace(row, number=number)
            view = session_view(kept, counts, tallied, reasons, plan.spec, now)
            answer = Answer(status=202, body=msgspec.json.encode(view))
            if retry is not None:
                d.answers.keep(work, asker, retry, answer, None, key)
            return answer

        return await self._durably(change)

    async def _message(self, asker: Asker, request: MessageRequest, retry: Retry | None) -> Answer:
        d = self._d
        d.refuse_when_full()
        plan = await d.planner.message(asker.workspace, request, d.clock.now())
        raw = {"to": request.to, "data": request.data}
        person = read_one(raw, plan.coercer, plan.spec.channel, region=plan.spec.region)
        key = await d.seal.hourly_key()
        session = d.chance.new_id()
        cut = await self._cut(plan, key, session, [person])
        now = d.clock.now()
        row = msgspec.structs.replace(session_row(asker, plan, key, session, cut, now), is_message=True)
        answer = Answer(status=202, body=msgspec.json.encode(self._first_view(row, person)))

        def change(work: Work) -> Answer:
            keep(work, asker, row, cut)
            if retry is not None:
                d.answers.keep(work, asker, retry, answer, DAY, key)
            return answer

        return await self._durably(change)

    async def _durably(self, change: Any) -> Answer:
        self._d.failpoint("K0")
        answer: Answer = await self._d.store.work(change)
        self._d.failpoint("K1")
        return answer

    def _first_view(self, row: SessionRow, person: Checked) -> RecipientView:
        place = ids.Place(row.id, 1, 0)
        return RecipientView(
            id=ids.recipient_id(place, self._d.seal.index.tail(ids.place_bytes(place))),
            session=ids.written(ids.SESSION, row.id),
            batch=ids.batch_id(row.id, 1),
            line=1,
            to=person.recipient.to,
            state=RecipientState.PENDING.word,
            attempts=0,
            possible_duplicate=False,
            reason=None,
            reference=person.recipient.id,
        )


def _people(plan: Plan, recipients: list[Any]) -> tuple[list[Checked], Faults]:
    spec = plan.spec
    return read_inline(recipients, plan.coercer, spec.channel, spec.on_invalid, region=spec.region)


def _rendered(plan: Plan, person: Checked) -> dict[str, Any]:
    recipient = person.recipient
    variant = plan.pinned.compiled.variant(plan.spec.channel, recipient.locale or plan.spec.locale)
    if variant is None:
        return {"line": recipient.line, "to": recipient.to}
    try:
        words = variant.words(plan.pinned.compiled.complete(plan.spec.data, recipient.data))
    except RenderFailed as error:
        return {"line": recipient.line, "to": recipient.to, "error": error.detail}
    return {"line": recipient.line, "to": recipient.to, "from": plan.spec.sender, **words}
