"""What askers may ask, after translation from HTTP and before any stage has looked at it."""

from __future__ import annotations

from typing import Any

import msgspec

from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as stages care: the workspace, the key, and whether personal data may be shown in clear."""

    workspace: int
    key: bytes
    live: bool = True
    sees_addresses: bool = False


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """An Idempotency-Key, with the bytes of the body that it came with."""

    key: str
    body: bytes


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to tell an audience. ``recipients`` are JSON objects as they came; ``None`` means an upload follows.

    Times are UTC epoch seconds; ``ttl`` is in seconds from admission and excludes ``expires_at``.
    """

    template: str
    recipients: list[Any] | None
    channel: Channel | None = None
    data: dict[str, Any] = {}
    sender: str | None = None
    reply_to: str | None = None
    batch_size: int | None = None
    priority: Priority = Priority.BULK
    send_at: float | None = None
    expires_at: float | None = None
    ttl: int | None = None
    on_invalid: OnInvalid = OnInvalid.FAIL
    on_doubt: OnDoubt = OnDoubt.RESEND
    locale: str | None = None
    reference: str | None = None
    metadata: dict[str, Any] = {}


class MessageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to tell one person, at once. ``to`` is a string or an object of addresses, as it came."""

    to: Any
    template: str
    channel: Channel | None = None
    data: dict[str, Any] = {}
    locale: str | None = None
    sender: str | None = None
    reply_to: str | None = None
    expires_at: float | None = None
    ttl: int | None = None
    on_doubt: OnDoubt = OnDoubt.RESEND
    reference: str | None = None
    metadata: dict[str, Any] = {}


class Redrive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which people to run again. Without conditions: all whose reason is retryable.

    ``force`` also takes permanent and suppressed ones; ``unknown`` people are only taken when ``state`` names them.
    """

    state: str | None = None
    reason_class: str | None = None
    code: str | None = None
    force: bool = False
    expires_at: float | None = None


class ProviderDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as its administrator writes it; ``credential`` unset keeps the one that is there, null removes it."""

    kind: str
    settings: dict[str, Any] = {}
    channel: Channel | None = None
    credential: str | msgspec.UnsetType | None = msgspec.UNSET
    sender: str | None = None
    enabled: bool = True


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON that a creating request is answered with; ``replayed`` when the same request was answered before."""

    status: int
    body: bytes
    replayed: bool = False
