"""What a session was asked to do about doubt, bad rows, haste and time."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec


class OnDoubt(StrEnum):
    """What happens to a recipient whose answer was never read: sent again and flagged, or held for a person."""

    RESEND = "resend"
    HOLD = "hold"


class OnInvalid(StrEnum):
    """What a recipient who can't be told does to the batch: fails it, or is left out alone."""

    FAIL = "fail"
    SKIP = "skip"


class Priority(IntEnum):
    """Which queue: urgent work has lanes of its own."""

    URGENT = 0
    BULK = 1


class Channel(StrEnum):
    """By what the message travels."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    CHAT = "chat"
    WEBHOOK = "webhook"
    KAFKA = "kafka"
    INBOX = "inbox"


class SessionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a session was asked to do, pinned at its creation; sealed at rest.

    ``template`` and ``version`` name a published version; ``sender`` is what stands in From (already resolved:
    session, then template, then provider; empty where the channel has none); ``data`` is shared, a recipient's own
    wins; ``region`` is where telephone numbers without a country are dialled.
    """

    template: str
    version: int
    channel: Channel
    sender: str
    batch_size: int
    data: dict[str, Any] = {}
    reply_to: str | None = None
    on_invalid: OnInvalid = OnInvalid.FAIL
    on_doubt: OnDoubt = OnDoubt.RESEND
    locale: str | None = None
    region: str | None = None
    reference: str | None = None
    metadata: dict[str, Any] = {}
