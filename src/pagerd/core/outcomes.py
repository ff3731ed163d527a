"""What a provider said about one message, typed; and the classes of reasons that people read."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class FailureClass(StrEnum):
    """What an answer means for the recipient, the content, the provider and the next attempt."""

    OK = "ok"
    ALREADY_ACCEPTED = "already_accepted"
    PERMANENT_ADDRESS = "permanent_address"
    PERMANENT_CONTENT = "permanent_content"
    PROVIDER_CONFIG = "provider_config"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    IN_DOUBT = "in_doubt"
    EXPIRED = "expired"
    NOT_SENT = "not_sent"
    """Known not to have left, through no fault of the message: the fence fell, or a neighbour broke the connection."""

    __hash__ = str.__hash__


class ReasonClass(StrEnum):
    """Why a recipient is not simply told: the failure classes that end or delay, and Pager's own."""

    PERMANENT_ADDRESS = "permanent_address"
    PERMANENT_CONTENT = "permanent_content"
    PROVIDER_CONFIG = "provider_config"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    IN_DOUBT = "in_doubt"
    EXPIRED = "expired"
    INVALID = "invalid"
    BATCH_NOT_STARTED = "batch_not_started"
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    POISON = "poison"
    BOUNCED = "bounced"
    UNKNOWN = "unknown"


RETRYABLE: Final = frozenset(
    {
        ReasonClass.PROVIDER_CONFIG,
        ReasonClass.TRANSIENT,
        ReasonClass.THROTTLED,
        ReasonClass.EXPIRED,
        ReasonClass.BATCH_NOT_STARTED,
        ReasonClass.CANCELLED,
        ReasonClass.POISON,
    }
)
"""What a redrive without conditions takes: the rest needs a mended address, mended content, or a decision."""


class Reason(msgspec.Struct, frozen=True, order=True):
    """A class and the code inside it: ``(permanent_address, "550 5.1.1")``."""

    kind: ReasonClass
    code: str

    @property
    def retryable(self) -> bool:
        """Whether the same message could succeed later without anybody mending anything."""
        return self.kind in RETRYABLE


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider said about one message.

    ``place`` is the recipient's index in its batch; ``code`` is short and free of personal data (``"550 5.1.1"``);
    ``text`` is the provider's own words, which may name addresses, and is only ever stored sealed; ``retry_after``
    is in seconds; ``started`` and ``ended`` are UTC epoch seconds.
    """

    place: int
    kind: FailureClass
    code: str = ""
    text: str = ""
    reference: str = ""
    retry_after: float | None = None
    started: float = 0.0
    ended: float = 0.0

    @property
    def told(self) -> bool:
        """Whether the provider took responsibility for the message."""
        return self.kind in (FailureClass.OK, FailureClass.ALREADY_ACCEPTED)
