"""The bodies of requests: their fields, types and ranges, once, for decoding, for faults and for the documentation.

A field that the interface names and that is not built yet is a :class:`Later` in :data:`RULES`: it is refused as
``not_supported_yet`` and not as unknown. Optional fields may be ``null``, which is the same as leaving them out.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pagerd.api.rules import Later, Rules, Time
from pagerd.core.outcomes import ReasonClass
from pagerd.core.policy import Channel, OnDoubt, OnInvalid
from pagerd.core.templates import TemplateDraft, Variant

Name = Annotated[str, Meta(min_length=1, max_length=200)]
TemplateName = Annotated[str, Meta(min_length=1, max_length=200, description="`name`, or `name@3` for a version.")]
Sender = Annotated[str, Meta(min_length=1, max_length=1000, description="An address, or `Name <address>`.")]
BatchSize = Annotated[int, Meta(ge=1, le=500)]
Seconds = Annotated[int, Meta(ge=1, le=31_622_400)]
Locale = Annotated[str, Meta(min_length=1, max_length=35, description="A BCP 47 tag such as `de-AT`.")]
Words = Annotated[str, Meta(max_length=1000)]
Reference = Annotated[str, Meta(min_length=1, max_length=200)]


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What every body has in common: unknown names are refused."""


class AudienceBody(Body, frozen=True):
    """Who is to be told: inline, or by parts that are uploaded afterwards."""

    recipients: list[Any] | None = None
    upload: bool | None = None


class SessionBody(Body, frozen=True):
    """A request to tell an audience."""

    template: TemplateName
    audience: AudienceBody
    channel: Channel | None = None
    data: dict[str, Any] | None = None
    sender: Sender | None = msgspec.field(default=None, name="from")
    reply_to: Sender | None = None
    batch_size: BatchSize | None = None
    priority: Literal["bulk", "urgent"] | None = None
    send_at: Time | None = None
    expires_at: Time | None = None
    ttl: Seconds | None = None
    on_invalid: OnInvalid | None = None
    on_doubt: OnDoubt | None = None
    locale: Locale | None = None
    reference: Reference | None = None
    metadata: dict[str, Any] | None = None


class MessageBody(Body, frozen=True):
    """A request to tell one person, at once."""

    to: str | dict[str, Any]
    template: TemplateName
    channel: Channel | None = None
    data: dict[str, Any] | None = None
    locale: Locale | None = None
    sender: Sender | None = msgspec.field(default=None, name="from")
    reply_to: Sender | None = None
    expires_at: Time | None = None
    ttl: Seconds | None = None
    on_doubt: OnDoubt | None = None
    reference: Reference | None = None
    metadata: dict[str, Any] | None = None


class StartBody(Body, frozen=True):
    """What the asker believes to have uploaded; the session starts only if it is there."""

    parts: Annotated[int, Meta(ge=0, le=1_000_000)]
    recipients: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class ReasonBody(Body, frozen=True):
    """Why something is done."""

    reason: Words | None = None


class WhereBody(Body, frozen=True):
    """Which people a redrive takes."""

    state: Literal["failed", "rejected", "unknown", "expired", "cancelled", "suppressed"] | None = None
    reason_class: ReasonClass | None = msgspec.field(default=None, name="class")
    code: Words | None = None


class RedriveBody(Body, frozen=True):
    """Run people again: all whose reason is retryable, or those that ``where`` names; ``force`` takes others, too."""

    where: WhereBody | None = None
    force: bool | None = None
    expires_at: Time | None = None


class SearchBody(Body, frozen=True):
    """Whose history is wanted."""

    to: Annotated[str, Meta(min_length=1, max_length=1000)]
    session: Name | None = None
    since: Time | None = None


class TemplateBody(TemplateDraft, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole template as its author writes it; saved as a draft until it is published."""

    batch_size: BatchSize | None = None


class PreviewBody(Body, frozen=True):
    """Whom to show a template to: the channel, the locale and the person's data."""

    channel: Channel | None = None
    locale: Locale | None = None
    data: dict[str, Any] | None = None
    version: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None


class ProviderBody(Body, frozen=True):
    """A provider. Its credential can be written and never be read; left out it stays, ``null`` removes it."""

    kind: Name
    settings: dict[str, Any] | None = None
    channel: Channel | None = None
    credential: Annotated[str, Meta(min_length=1, max_length=65_536)] | msgspec.UnsetType | None = msgspec.UNSET
    sender: Sender | None = msgspec.field(default=None, name="from")
    enabled: bool | None = None


class KeyBody(Body, frozen=True):
    """A new API key: its name, and what it may do."""

    name: Name
    scopes: list[Name] | None = None
    expires_at: Time | None = None


class Nothing(Body, frozen=True):
    """A body that needs nothing; an empty one will do."""


_WHEN: Final = ("expires_at", "ttl")
_CONTENT: Final = (Later("content", "template"), Later("channels"), Later("route"))

RULES: Final[dict[type, Rules]] = {
    SessionBody: Rules(later=_CONTENT, apart=(_WHEN,), inside=("audience",)),
    AudienceBody: Rules(later=(Later("saved"),), one_of=("recipients", "upload")),
    MessageBody: Rules(later=(*_CONTENT, Later("attachments")), apart=(_WHEN,)),
    Variant: Rules(later=(Later("mjml"), Later("title"), Later("body"))),
    ProviderBody: Rules(later=(Later("pace"),)),
}
