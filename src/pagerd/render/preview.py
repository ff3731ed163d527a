"""A preview: every part of a message as it would leave, for one person who need not exist."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.core.segments import segments
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.mail_variant import MailVariant
from pagerd.render.record_variant import RecordVariant
from pagerd.render.text_variant import TextVariant
from pagerd.render.values import Facts

SENDER: Final = "sender@example.com"
RECIPIENT: Final = "recipient@example.com"
RECIPIENTS: Final = {Channel.EMAIL: RECIPIENT, Channel.SMS: "+12025550123", Channel.KAFKA: "recipient"}
"""Whom a preview is for, where nobody is named: nobody has these addresses."""
_MESSAGE_ID: Final = "preview@pager.invalid"


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What one person would get. ``bytes`` counts the whole message; ``source`` is the message itself.

    Only the parts that the channel has are there: a mail's ``subject``, ``text`` and ``html`` (``source`` has its
    headers, too; ``text_derived`` tells that the text was made from the HTML), an SMS's ``text`` with its ``encoding``
    and ``segments``, a record's ``json``, ``key`` and ``headers``. The address ``from`` is empty where none is known.
    """

    channel: Channel
    variant: str
    locale: str
    sender: str = msgspec.field(name="from")
    to: str
    subject: str | None = None
    text: str | None = None
    text_derived: bool = False
    html: str | None = None
    json: str | None = None
    key: str | None = None
    headers: dict[str, str] | None = None
    encoding: str | None = None
    segments: int | None = None
    bytes: int
    source: str


def preview(
    compiled: CompiledTemplate,
    data: dict[str, Any],
    *,
    channel: Channel = Channel.EMAIL,
    locale: str | None = None,
    sender: str | None = None,
    to: str | None = None,
    date: float = 0.0,
) -> Preview:
    """Return what a person with ``data`` would get; the examples of variables stand in for what is missing.

    ``sender`` unset: a mail has the template's own, else an invented one. Raise :class:`Invalid` where the template
    has nothing for the channel, and :class:`RenderFailed` as a real message would.
    """
    variant = compiled.variant(channel, locale)
    to = to or RECIPIENTS.get(channel, "")
    examples = {v.name: v.example for v in compiled.variables if v.example is not msgspec.UNSET}
    facts = compiled.complete(examples, data)
    if isinstance(variant, MailVariant):
        sender = sender or compiled.draft.sender or SENDER
        return _mail(variant, facts, (sender, compiled.draft.reply_to), to, date)
    if isinstance(variant, TextVariant):
        return _text(variant, facts, sender or "", to)
    if isinstance(variant, RecordVariant):
        return _record(variant, facts, to)
    fault = Fault(code="no_variant", detail=f"the template has no variant for {channel}", pointer="/channel")
    raise Invalid(fault.detail, faults=[fault], code=fault.code)


def _mail(variant: MailVariant, facts: Facts, sender: tuple[str, str | None], to: str, date: float) -> Preview:
    parts = variant.render(facts)
    mail = variant.skeleton(*sender).fill(parts, to=to, message_id=_MESSAGE_ID, date=date)
    return Preview(
        channel=variant.channel,
        variant=variant.name,
        locale=variant.locale,
        sender=sender[0],
        to=to,
        subject=parts.subject,
        text=parts.text,
        text_derived=variant.derives_text,
        html=parts.html,
        bytes=len(mail),
        source=mail.decode(),
    )


def _text(variant: TextVariant, facts: Facts, sender: str, to: str) -> Preview:
    text = variant.render(facts)
    sms = segments(text)
    return Preview(
        channel=variant.channel,
        variant=variant.name,
        locale=variant.locale,
        sender=sender,
        to=to,
        text=text,
        encoding=sms.encoding.value,
        segments=sms.count,
        bytes=len(text.encode()),
        source=text,
    )


def _record(variant: RecordVariant, facts: Facts, to: str) -> Preview:
    record = variant.render(facts)
    return Preview(
        channel=variant.channel,
        variant=variant.name,
        locale=variant.locale,
        sender="",
        to=to,
        json=record.value,
        key=record.key if record.key is not None else to,
        headers=dict(record.headers),
        bytes=len(record.value.encode()),
        source=record.value,
    )
