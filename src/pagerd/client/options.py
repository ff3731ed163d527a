"""What a session or a message may be asked to do, as keyword arguments, and as the interface writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict


class MessageOptions(TypedDict, total=False):
    """Options of one message. ``sender`` is the From address; moments have an offset from UTC; ``ttl`` in seconds."""

    channel: str
    data: Mapping[str, Any]
    locale: str
    sender: str
    reply_to: str
    expires_at: datetime | str
    ttl: float | timedelta
    on_doubt: Literal["resend", "hold"]
    reference: str
    metadata: Mapping[str, Any]


class SessionOptions(MessageOptions, total=False):
    """Options of a session. ``data`` is shared: a recipient's own wins."""

    batch_size: int
    priority: Literal["bulk", "urgent"]
    send_at: datetime | str
    on_invalid: Literal["fail", "skip"]


def body_of(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the body of a request: the interface's names and forms, without what was not given."""
    body = {"from" if name == "sender" else name: _written(name, value) for name, value in options.items()}
    return {name: value for name, value in (body | more).items() if value is not None}


def _written(name: str, value: Any) -> Any:
    """Return an option's value as JSON carries it."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{name} needs its offset from UTC: {value.isoformat()} could be many moments")
    return int(value) if name == "ttl" and value is not None else value
