"""People and template become messages: what the prepare barrier is made of. Pure, so a child process can do it too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from pagerd.core.errors import Invalid
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome, ReasonClass
from pagerd.core.policy import Channel, SessionSpec
from pagerd.core.recipients import Recipient
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.errors import RenderFailed
from pagerd.render.values import UNKNOWN
from pagerd.render.variables import Completion

_CONTENT: Final = frozenset(
    {"fuel_exhausted", "output_too_large", "template_error", "header_too_long", "json_malformed", "body_missing"}
)


class Refusal(msgspec.Struct, frozen=True):
    """Why one recipient can't be told; ``caused_by`` is the place of the neighbour whose fault it is."""

    place: int
    kind: ReasonClass
    code: str
    detail: str
    caused_by: int | None = None

    def outcome(self, now: float) -> Outcome:
        """Return it in the form of an attempt record: nobody was asked."""
        words = self.detail if self.caused_by is None else f"caused by recipient {self.caused_by} of this batch"
        return Outcome(place=self.place, kind=FailureClass.NOT_SENT, code=self.code, text=words, started=now, ended=now)


class Person(msgspec.Struct, frozen=True, array_like=True):
    """One recipient to compose for; ``key`` is the same in every attempt."""

    place: int
    key: str
    recipient: Recipient


class Composed(msgspec.Struct, frozen=True, array_like=True):
    """What came of a batch: messages for those who can be told, refusals for the rest."""

    messages: list[Message]
    refusals: list[Refusal]


class Composer:
    """Composes for one session: template, shared data and sender are the same for everybody."""

    def __init__(self, template: CompiledTemplate, spec: SessionSpec) -> None:
        self._template = template
        self._spec = spec
        self._completion: Completion = template.completion(spec.data)
        self._size = UNKNOWN
        makers = {Channel.EMAIL: self._mail, Channel.SMS: self._text, Channel.KAFKA: self._record}
        self._one: Callable[[Person, float], Message] = makers.get(spec.channel, self._unwritten)

    def compose(self, people: Sequence[Person], now: float, size: int = UNKNOWN) -> Composed:
        """Return messages and refusals, each person in one of them; ``size``: at most so many bytes is their data."""
        self._size = size
        messages: list[Message] = []
        refusals: list[Refusal] = []
        for person in people:
            try:
                messages.append(self._one(person, now))
            except RenderFailed as error:
                kind = ReasonClass.PERMANENT_CONTENT if error.code in _CONTENT else ReasonClass.INVALID
                refusals.append(Refusal(person.place, kind, error.code, error.detail))
            except Invalid as error:
                refusals.append(Refusal(person.place, ReasonClass.INVALID, error.code, error.detail))
        return Composed(messages, refusals)

    def _mail(self, person: Person, now: float) -> Message:
        recipient = person.recipient
        if recipient.flaw is not None:
            raise Invalid(recipient.flaw.detail, code=recipient.flaw.code)
        variant = self._template.variant(Channel.EMAIL, recipient.locale or self._spec.locale)
        if variant is None:
            self._unwritten(person, now)
        parts = variant.render(self._completion.complete(recipient.data, self._size))
        skeleton = variant.skeleton(self._spec.sender, self._spec.reply_to)
        key = f"{person.key}@{skeleton.domain}"
        to = recipient.address
        return Message(
            place=person.place,
            to=to,
            sender=skeleton.address,
            key=key,
            body=skeleton.fill(parts, to=to, message_id=key, date=now),
            international=skeleton.needs_utf8(to),
        )

    def _text(self, person: Person, now: float) -> Message:
        recipient = person.recipient
        if recipient.flaw is not None:
            raise Invalid(recipient.flaw.detail, code=recipient.flaw.code)
        variant = self._template.variant(Channel.SMS, recipient.locale or self._spec.locale)
        if variant is None:
            self._unwritten(person, now)
        text = variant.render(self._completion.complete(recipient.data))
        return Message(
            place=person.place, to=recipient.address, sender=self._spec.sender, key=person.key, body=text.encode()
        )

    def _record(self, person: Person, now: float) -> Message:
        recipient = person.recipient
        if recipient.flaw is not None:
            raise Invalid(recipient.flaw.detail, code=recipient.flaw.code)
        variant = self._template.variant(Channel.KAFKA, recipient.locale or self._spec.locale)
        if variant is None:
            self._unwritten(person, now)
        record = variant.render(self._completion.complete(recipient.data))
        return Message(
            place=person.place,
            to=recipient.address,
            sender="",
            key=person.key,
            body=record.value.encode(),
            partition_key=record.key,
            headers=record.headers,
        )

    def _unwritten(self, person: Person, now: float) -> NoReturn:
        del person, now
        raise Invalid(f"the template has no variant for {self._spec.channel}", code="variant_missing")
