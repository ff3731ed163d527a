"""The control plane: sessions, parts, templates, keys, providers, in transactions that can't wait for anything.

A change is a plain function that takes a :class:`Work` and returns a value. It runs as one transaction on whatever
thread or connection the adapter has; because it is not a coroutine, nobody can hold a transaction open while a
provider or a client answers. It must be quick (10 ms), free of side effects, and may be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey
from pagerd.core.outcomes import Reason
from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority
from pagerd.core.states import BatchState, RecipientState, SessionState

T = TypeVar("T")


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is stored. Times are UTC epoch seconds; ``spec`` is a sealed ``SessionSpec``.

    Batches are numbered from 1 to ``last_no``; those below ``next_no`` have been claimed at least once; those from
    ``next_no`` to ``stop_no`` are fresh work. A cancelled or expired session closes the range above ``stop_no``:
    its people are in state ``closed_as``. ``chores`` is what is still to be done to its batches
    in small steps (see ``session.chores``): while there is one the session does not finish.
    """

    number: int = 0
    id: bytes
    workspace: int
    is_message: bool = False
    state: SessionState
    template: str
    version: int
    channel: Channel
    batch_size: int
    priority: Priority
    on_doubt: OnDoubt
    on_invalid: OnInvalid
    key_id: bytes
    spec: bytes
    owner: bytes
    next_no: int = 1
    stop_no: int = 0
    last_no: int = 0
    total: int = 0
    round: int = 1
    closed_as: RecipientState | None = None
    chores: bytes | None = None
    paused_from: SessionState | None = None
    pause_reason: str | None = None
    send_at: float | None = None
    expires_at: float | None = None
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    settled_key: bool = False
    payload_rev: int = 0


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded part of an audience: ``block`` names its payloads, ``base`` the number before its first batch.

    ``flawed`` is a MessagePack list of (seq, index, reason number): rows that were refused at the door.
    """

    session: int
    part: int
    block: int
    recipients: int
    batches: int
    flaws: int
    flawed: bytes
    digest: bytes
    received_at: float
    base: int | None = None


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it is stored; a batch never claimed and with nothing to say has no row."""

    key: BatchKey
    state: BatchState
    token: int
    losses: int
    round: int
    run_at: float | None
    vec: bytes
    published_at: float | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that a queue was given at a time (UTC epoch seconds; 0: never, it is to be claimed from the store).

    ``vec`` is what it holds where it has no row yet: everybody pending.
    """

    key: BatchKey
    priority: Priority
    round: int
    vec: bytes
    at: float


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed batch payload: ``block`` and ``seq`` are what the seal bound it to, ``n`` its recipients."""

    block: int
    seq: int
    n: int
    blob: bytes


class ExceptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient in an exceptional state: what people list and search."""

    no: int
    idx: int
    state: RecipientState
    reason: int
    round: int


class TemplateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its sealed draft, and the newest published version (0: none)."""

    id: bytes
    workspace: int
    name: str
    draft: bytes
    published: int
    revision: int
    created_at: float
    updated_at: float


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: immutable, sealed."""

    workspace: int
    name: str
    version: int
    body: bytes
    published_at: float


class ApiKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """An API key: its SHA-256, never itself."""

    id: bytes
    workspace: int
    name: str
    digest: bytes
    live: bool
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as the API keeps it; ``settings`` is JSON, ``credential`` sealed."""

    id: bytes
    workspace: int
    name: str
    number: int
    kind: str
    channel: Channel
    settings: bytes
    credential: bytes | None
    enabled: bool
    paused: str | None
    created_at: float
    updated_at: float


class IdempotencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that a key got: asked again with the same body (``mac``), it is given again."""

    workspace: int
    live: bool
    key: bytes
    mac: bytes
    status: int
    answer: bytes
    expires_at: float | None


class QuarantineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a queue that could not be read, as it came; ``headers`` are MessagePack, ``position`` its offset."""

    topic: str
    partition: int
    position: int
    headers: bytes
    raw: bytes
    reason: str
    taken_at: float


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One hit of the blind index; to be checked against the decrypted address."""

    session: int
    no: int
    idx: int


class Sessions(Protocol):
    """Sessions and their counters."""

    def add(self, row: SessionRow, counts: Counts) -> int:
        """Insert a session with its counters; return its number."""
        ...

    def get(self, workspace: int, id: bytes) -> SessionRow | None:
        """Return a session of that workspace, or ``None``."""
        ...

    def by_number(self, number: int) -> SessionRow | None:
        """Return a session, or ``None``."""
        ...

    def newest(self, workspace: int, limit: int, before: bytes | None, state: SessionState | None) -> list[SessionRow]:
        """Return sessions (messages apart), newest first, those older than ``before``."""
        ...

    def save(self, row: SessionRow) -> None:
        """Write every field back but ``next_no``, which only claims move."""
        ...

    def counts(self, number: int) -> Counts:
        """Return the counters; all zero for an unknown session."""
        ...

    def count(self, number: int, delta: Counts) -> None:
        """Add ``delta`` to the counters."""
        ...

    def set_counts(self, number: int, counts: Counts) -> None:
        """Replace the counters: for a recount that found them wrong."""
        ...

    def reasons(self, number: int) -> list[tuple[RecipientState, int, int]]:
        """Return (state, reason number, how many), those that are not zero."""
        ...

    def count_reason(self, number: int, state: RecipientState, reason: int, delta: int) -> None:
        """Add ``delta`` to one reason's counter."""
        ...

    def due(self, now: float, limit: int) -> list[SessionRow]:
        """Return scheduled sessions whose time has come, unfinished ones past their expiry, and those with chores."""
        ...

    def reapable(self, created_before: float, limit: int) -> list[SessionRow]:
        """Return sessions still in ``staging`` that were created before a time."""
        ...

    def key_in_use(self, key_id: bytes) -> bool:
        """Tell whether a session that has not given its key up (``settled_key``) refers to it."""
        ...

    def shreddable(self, finished_before: float, limit: int) -> list[SessionRow]:
        """Return finished sessions whose key may go."""
        ...

    def fresh(self, priority: Priority, after: int, now: float, limit: int) -> list[SessionRow]:
        """Return sessions that run and have fresh work, in order of number, those above ``after``."""
        ...

    def advance(self, cursors: Sequence[tuple[int, int]], now: float) -> None:
        """Let (session, number) be its ``next_no``, as a first claim does; never back, nor where it does not run."""
        ...

    def unfinished(self, after: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages that are not finished, in order of number, those above ``after``."""
        ...

    def next_after(self, number: int, limit: int) -> list[SessionRow]:
        """Return sessions and messages in order of number, those above ``number``: for a recount."""
        ...


class Parts(Protocol):
    """Uploaded parts and payloads."""

    def put(self, row: PartRow) -> int | None:
        """Keep a part, replacing the same number; return the block it replaced, if any."""
        ...

    def get(self, session: int, part: int) -> PartRow | None:
        """Return one part, or ``None``."""
        ...

    def all(self, session: int) -> list[PartRow]:
        """Return the parts in order of their number."""
        ...

    def number(self, session: int, bases: Sequence[tuple[int, int]]) -> None:
        """Set the base of parts: (part, base) each."""
        ...

    def add_payloads(self, session: int, payloads: Sequence[Payload]) -> None:
        """Insert sealed payloads."""
        ...

    def payload(self, session: int, no: int) -> Payload | None:
        """Return the payload of batch ``no``; ``None`` where it was erased."""
        ...

    def payloads(self, session: int, first: int, last: int) -> dict[int, Payload]:
        """Return the payloads of the batches from ``first`` to ``last`` by number; those erased are not in it."""
        ...

    def add_addresses(self, session: int, block: int, records: bytes) -> None:
        """Keep a block's blind address records (16 bytes each: hash 8, seq u32, idx u16, spare u16), sorted."""
        ...

    def addresses(self, session: int, block: int) -> bytes:
        """Return a block's records, sorted by hash."""
        ...

    def drop_block(self, session: int, block: int, limit: int) -> int:
        """Delete up to ``limit`` rows of a block; return how many were deleted: call until 0."""
        ...

    def orphan_blocks(self, session: int) -> Sequence[int]:
        """Return blocks of a session that no part refers to."""
        ...

    def clear(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` of a session's parts, payloads and address records; return how many: call until 0."""
        ...


class Batches(Protocol):
    """Batches outside of a worker's claim."""

    def get(self, key: BatchKey) -> BatchRow | None:
        """Return a batch's row; ``None`` where it has none (then all are pending, or ``closed_as``)."""
        ...

    def page(self, session: int, after: int, limit: int) -> list[BatchRow]:
        """Return rows in order of number, those above ``after``."""
        ...

    def seed(self, rows: Sequence[BatchRow]) -> None:
        """Insert the rows of never claimed batches that have something to say (a duplicate, a refused row)."""
        ...

    def unseed(self, session: int, limit: int) -> int:
        """Delete up to ``limit`` never claimed rows of a session; return how many: call until 0."""
        ...

    def in_state(self, session: int, states: Sequence[BatchState], after: int, limit: int) -> list[BatchRow]:
        """Return rows in these states, in order of number, those above ``after``."""
        ...

    def rewrite(self, old: BatchRow, new: BatchRow) -> bool:
        """Replace a batch's row if state and token are still those of ``old``; ``False`` if not."""
        ...

    def parked(self, session: int, limit: int, run_at: float) -> int:
        """Give up to ``limit`` parked batches of a session a time to run; return how many: call until 0."""
        ...

    def publish(self, rows: Sequence[Published]) -> None:
        """Write down what a queue was given; a batch that is not ready any more stays as it is."""
        ...

    def published(self, session: int, limit: int) -> list[BatchRow]:
        """Return batches below ``next_no`` that a queue was given and nobody has claimed."""
        ...

    def unclaimed(self, session: int) -> int:
        """Return how many batches of a session a queue was given and nobody has claimed."""
        ...

    def republished(self, session: int, limit: int) -> int:
        """Let up to ``limit`` of those be found at once as lost; return how many: call until 0."""
        ...

    def attempts(self, key: BatchKey) -> list[tuple[int, int, bytes]]:
        """Return (token, sequence, sealed record) of a batch, oldest first."""
        ...

    def exceptions(
        self,
        session: int,
        *,
        state: RecipientState | None,
        reasons: Sequence[int] | None,
        after: tuple[int, int],
        limit: int,
        below_round: int | None = None,
    ) -> list[ExceptionRow]:
        """Return exceptional recipients in file order, those after (batch number, index)."""
        ...

    def except_(self, session: int, add: Sequence[ExceptionRow], drop: Sequence[tuple[int, int]]) -> None:
        """Delete the rows of the places ``drop``, then insert ``add``."""
        ...


class Reasons(Protocol):
    """Reasons have numbers, so that a vector points to one with two bytes."""

    def number(self, reason: Reason) -> int:
        """Return the number of a reason, giving it one if it is new."""
        ...

    def all(self) -> dict[int, Reason]:
        """Return every reason by its number."""
        ...


class Templates(Protocol):
    """Templates and their versions."""

    def get(self, workspace: int, name: str) -> TemplateRow | None:
        """Return a template, or ``None``."""
        ...

    def page(self, workspace: int, limit: int, after: str) -> list[TemplateRow]:
        """Return templates in order of name, those after ``after``."""
        ...

    def save(self, row: TemplateRow) -> None:
        """Insert or replace a template."""
        ...

    def publish(self, row: VersionRow) -> None:
        """Insert a version; the same number again raises :class:`Conflict`."""
        ...

    def version(self, workspace: int, name: str, version: int) -> VersionRow | None:
        """Return a version, or ``None``."""
        ...

    def versions(self, workspace: int, name: str) -> list[VersionRow]:
        """Return all versions, newest first."""
        ...


class ApiKeys(Protocol):
    """API keys."""

    def add(self, row: ApiKeyRow) -> None:
        """Insert a key."""
        ...

    def by_digest(self, digest: bytes) -> ApiKeyRow | None:
        """Return the key with this SHA-256, revoked or not, or ``None``."""
        ...

    def all(self, workspace: int) -> list[ApiKeyRow]:
        """Return all keys, newest first."""
        ...

    def revoke(self, workspace: int, id: bytes, at: float) -> bool:
        """Mark a key as revoked; ``False`` if there is none. Twice keeps the first time."""
        ...


class Providers(Protocol):
    """Providers that the API keeps."""

    def put(self, row: ProviderRow) -> None:
        """Insert or replace a provider; ``number`` 0 gives it one that no other ever had."""
        ...

    def get(self, workspace: int, name: str) -> ProviderRow | None:
        """Return a provider, or ``None``."""
        ...

    def all(self, workspace: int) -> list[ProviderRow]:
        """Return all providers in order of name."""
        ...

    def number(self, workspace: int, name: str) -> int:
        """Return the number (1 … 255) by which vectors name a provider, giving it one if it is new."""
        ...

    def names(self) -> dict[int, str]:
        """Return the names of all numbered providers."""
        ...


class Idempotency(Protocol):
    """Answers to requests that carried an Idempotency-Key."""

    def get(self, workspace: int, live: bool, key: bytes, now: float) -> IdempotencyRow | None:
        """Return the answer, or ``None`` where there is none or it is past its time."""
        ...

    def add(self, row: IdempotencyRow, now: float) -> None:
        """Keep an answer, replacing one past its time; raise :class:`Conflict` if an unexpired one is there."""
        ...

    def expire(self, now: float, limit: int) -> int:
        """Delete up to ``limit`` rows past their time; return how many."""
        ...

    def lasting(self, after: tuple[int, bool, bytes], limit: int) -> list[IdempotencyRow]:
        """Return answers without a time, those above ``after`` (workspace, live, key), in that order."""
        ...

    def drop(self, row: IdempotencyRow) -> None:
        """Delete an answer; one that is not there is harmless."""
        ...


class AddressIndex(Protocol):
    """The blind index over all sessions of a workspace."""

    def add_small(self, workspace: int, session: int, hashes: Sequence[tuple[bytes, int, int]]) -> None:
        """Index (hash, no, idx) one by one: for small sessions and messages."""
        ...

    def add_segments(self, workspace: int, session: int, segments: Sequence[tuple[int, bytes]]) -> None:
        """Keep sorted segments (first byte, records of hash 8, no u32, idx u16, spare u16) of a big session."""
        ...

    def find(self, workspace: int, hash8: bytes, session: int | None, limit: int) -> list[Address]:
        """Return places that may hold the address, newest session first."""
        ...

    def drop_segments(self, workspace: int, session: int) -> None:
        """Delete a session's segments: a start that is made again."""
        ...


class Quarantine(Protocol):
    """Records of a queue that could not be read."""

    def add(self, row: QuarantineRow) -> None:
        """Keep a record; one from the same place again is harmless."""
        ...

    def newest(self, limit: int) -> list[QuarantineRow]:
        """Return records, the last taken first."""
        ...


class Facts(Protocol):
    """Single values about the installation."""

    def get(self, name: str) -> bytes | None:
        """Return a value, or ``None``."""
        ...

    def set(self, name: str, value: bytes) -> None:
        """Keep a value, replacing the old one."""
        ...


class Work(Protocol):
    """One transaction over the control plane."""

    sessions: Sessions
    parts: Parts
    batches: Batches
    reasons: Reasons
    templates: Templates
    api_keys: ApiKeys
    providers: Providers
    idempotency: Idempotency
    addresses: AddressIndex
    facts: Facts
    quarantine: Quarantine


class Store(Protocol):
    """Runs changes and looks."""

    async def work(self, change: Callable[[Work], T]) -> T:
        """Run ``change`` in one transaction and return its value once it is durable; its exception undoes it all."""
        ...

    async def read(self, look: Callable[[Work], T]) -> T:
        """Run ``look``, which must not write, over one consistent snapshot, without waiting for writers."""
        ...

    def spare(self) -> int:
        """Return how many bytes may still be written before the store is full."""
        ...

    async def ping(self) -> None:
        """Return when the store answers; raise :class:`Unavailable` if not."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted and close; twice is harmless."""
        ...
