"""A template's words: what its author writes, as API, files and store carry it."""

from __future__ import annotations

import msgspec

from pagerd.core.policy import Channel
from pagerd.core.variables import Variable


class Variant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one channel says in one locale. E-mail has ``subject`` and ``html`` or ``text`` or both."""

    channel: Channel
    locale: str = "en"
    subject: str | None = None
    html: str | None = None
    text: str | None = None


class TemplateDraft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole template. The first variant's locale is the default one, to which every other falls back.

    ``variables`` unset means: every variable that a variant uses is required and may hold anything.
    """

    variants: list[Variant]
    description: str = ""
    variables: list[Variable] | msgspec.UnsetType = msgspec.UNSET
    batch_size: int | None = None
    sender: str | None = msgspec.field(default=None, name="from")
    reply_to: str | None = None


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A variant rendered for one person, as text; ``text`` is derived from ``html`` where the author gave none."""

    subject: str
    text: str
    html: str | None = None
