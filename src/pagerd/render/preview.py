"""A preview: every part of a message as it would leave, for one person who need not exist."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.render.compiled import CompiledTemplate

RECIPIENT: Final = "recipient@example.com"
SENDER: Final = "sender@example.com"
_MESSAGE_ID: Final = "preview@pager.invalid"


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What one person would get. ``bytes`` counts the whole mail; ``source`` is the mail itself, headers and all.

    ``text_derived`` tells that the text was made from the HTML.
    """

    channel: Channel
    variant: str
    locale: str
    sender: str = msgspec.field(name="from")
    to: str
    subject: str
    text: str
    text_derived: bool
    html: str | None
    bytes: int
    source: str


def preview(
    compiled: CompiledTemplate,
    data: dict[str, Any],
    *,
    channel: Channel = Channel.EMAIL,
    locale: str | None = None,
    sender: str | None = None,
    to: str = RECIPIENT,
    date: float = 0.0,
) -> Preview:
    """Return what a person with ``data`` would get; the examples of variables stand in for what is missing.

    ``sender`` unset: the template's own, else an invented one. Raise :class:`Invalid` where the template has nothing
    for the channel, and :class:`RenderFailed` as a real message would.
    """
    variant = compiled.variant(channel, locale)
    if variant is None:
        fault = Fault(code="no_variant", detail=f"the template has no variant for {channel}", pointer="/channel")
        raise Invalid(fault.detail, faults=[fault], code=fault.code)
    examples = {v.name: v.example for v in compiled.variables if v.example is not msgspec.UNSET}
    parts = variant.render(compiled.complete(examples, data))
    sender = sender or compiled.draft.sender or SENDER
    skeleton = variant.skeleton(sender, compiled.draft.reply_to)
    mail = skeleton.fill(parts, to=to, message_id=_MESSAGE_ID, date=date)
    return Preview(
        channel=channel,
        variant=variant.name,
        locale=variant.locale,
        sender=sender,
        to=to,
        subject=parts.subject,
        text=parts.text,
        text_derived=variant.derives_text,
        html=parts.html,
        bytes=len(mail),
        source=mail.decode(),
    )
