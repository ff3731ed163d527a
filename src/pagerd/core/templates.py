"""A template's words: what its author writes, as API, files and store carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pagerd.core.policy import Channel
from pagerd.core.variables import Variable


class Variant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one channel says in one locale; :data:`PARTS` says which parts a channel has.

    E-mail has ``subject`` and ``html`` or ``text`` or both; sms has ``text``; kafka has ``json``, the record's value,
    in which a printed value is a whole JSON value (its quotes included), and may have ``key`` and ``headers``.
    """

    channel: Channel
    locale: str = "en"
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    json: str | None = None
    key: str | None = None
    headers: dict[str, str] = {}


PARTS: Final[Mapping[Channel, tuple[str, ...]]] = {
    Channel.EMAIL: ("subject", "html", "text"),
    Channel.SMS: ("text",),
    Channel.KAFKA: ("json", "key", "headers"),
}
"""The parts that a channel's variants are made of; a channel that is not here can't be written for yet."""


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
    """A mail's variant rendered for one person; ``text`` is derived from ``html`` where the author gave none."""

    subject: str
    text: str
    html: str | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record's variant rendered for one person; ``value`` is JSON. No ``key``: the recipient's ``to`` is it."""

    value: str
    key: str | None
    headers: tuple[tuple[str, str], ...]
