"""What Pager shows of itself: the objects of the interface, as API and client carry them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from pagerd.core.errors import Fault
from pagerd.core.states import FINISHED_SESSION

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some items of a list, and the cursor for the next ones (``None``: these were the last)."""

    items: list[T]
    next_cursor: str | None = None


class ReasonView(msgspec.Struct, frozen=True, kw_only=True):
    """Why people of one state are not simply told, and how many."""

    state: str
    reason_class: str = msgspec.field(name="class")
    code: str
    count: int
    retryable: bool


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session: the balance, its parts, the reasons. ``told + withheld + not_told + in_doubt + to_go == total``."""

    id: str
    state: str
    live: bool
    template: str
    channel: str
    batch_size: int
    priority: str
    on_invalid: str
    on_doubt: str
    round: int
    total: int
    told: int
    withheld: int
    not_told: int
    in_doubt: int
    to_go: int
    outcomes: dict[str, int]
    receipts: dict[str, int]
    possible_duplicates: int
    reasons: list[ReasonView]
    batches: dict[str, int]
    rate_per_second: float | None
    estimated_finish_at: str | None
    send_at: str | None
    expires_at: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    pause_reason: str | None = None
    reference: str | None = None
    metadata: dict[str, Any] = {}

    @property
    def over(self) -> bool:
        """Whether nothing in it will change by itself any more.

        A cancel or an expiry shows at once in ``state``; who is under way or waits at that moment follows.
        """
        return self.state in FINISHED_SESSION and not (self.to_go or self.in_doubt)


class ReasonOf(msgspec.Struct, frozen=True, kw_only=True):
    """Why one person is in the state they are in."""

    reason_class: str = msgspec.field(name="class")
    code: str
    retryable: bool


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a session. ``to`` is masked unless the key may read addresses; ``None`` after an erasure."""

    id: str
    session: str
    batch: str
    line: int
    to: str | None
    state: str
    attempts: int
    possible_duplicate: bool
    reason: ReasonOf | None
    reference: str | None = None
    not_before: str | None = None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt for one person: when, by which provider, and what it said."""

    round: int
    token: int
    provider: str
    outcome: str
    code: str
    text: str
    started_at: str | None
    ended_at: str | None


class TimelineView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one person in one session."""

    recipient: RecipientView
    session_state: str
    template: str
    created_at: str
    attempts: list[AttemptView]


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """One batch: its verdict and, once it failed, whether anything of it had left (``none`` or ``partial``)."""

    id: str
    no: int
    state: str
    size: int
    round: int
    claims: int
    losses: int
    effects: str
    outcomes: dict[str, int]
    run_at: str | None = None


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded part: what was kept and, under ``skip``, what was wrong in it (the first 100 and the count)."""

    part: int
    recipients: int
    batches: int
    flaws: int
    ignored_columns: list[str] = []
    errors: list[Fault] = []
    digest: str = ""


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run: how many could be told, what is wrong, and up to ten people as they would be told."""

    recipients: int
    valid: int
    errors: list[Fault]
    error_count: int
    duplicates: int
    rendered: list[dict[str, Any]]


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider; its credential is only ever described."""

    name: str
    kind: str
    channel: str
    settings: dict[str, Any]
    credential: dict[str, Any] | None
    enabled: bool
    paused: str | None
    managed_by: str
    health: dict[str, Any] = {}


class ProviderKindView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of provider, with the JSON Schema of its settings."""

    kind: str
    channel: str
    settings_schema: dict[str, Any]
