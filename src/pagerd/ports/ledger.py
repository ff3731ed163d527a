"""The hot path: claims and what workers write, many lanes in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, RecipientState


class Said(IntEnum):
    """What became of one write."""

    WRITTEN = 0
    LOST = 1
    """The token is not the newest any more: nothing but the attempt record was written."""
    STOPPED = 2
    """The session is paused, cancelled, finished or expired: an intent was not written; the claim still holds."""


class ReasonDelta(msgspec.Struct, frozen=True, array_like=True):
    """By how much one reason's counter moves."""

    state: RecipientState
    reason: int
    n: int


class Exceptional(msgspec.Struct, frozen=True, array_like=True):
    """A recipient that enters an exceptional state."""

    idx: int
    state: RecipientState
    reason: int


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker wants written about its batch, under its token, as part of one commit.

    ``counts`` is the delta in the order of ``balance.FIELDS``; ``attempt`` a sealed record of ``window`` (from 0 under
    this token), written even where the token is lost; ``run_at`` (UTC epoch seconds) only where ``state`` is
    ``waiting``; ``needs_running`` makes it an intent: it is refused while the session does not run or is past its
    expiry; ``lost`` counts one more loss.
    """

    key: BatchKey
    token: int
    state: BatchState
    vec: bytes
    counts: tuple[int, ...]
    reasons: tuple[ReasonDelta, ...] = ()
    enter: tuple[Exceptional, ...] = ()
    leave: tuple[int, ...] = ()
    attempt: bytes | None = None
    window: int = 0
    run_at: float | None = None
    needs_running: bool = False
    lost: bool = False


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """How many batches of a priority a worker can take; ``alone`` asks for one that was lost too often.

    ``batches`` counts what earlier wants of the same call have found: two wants of 10 give 10 claims in all.
    ``fresh`` false leaves fresh work to the queue that carries it. What was published before ``published_before``
    (UTC epoch seconds; 0: nothing is looked for) and never claimed comes after what is due: the broker lost it.
    """

    priority: Priority
    batches: int
    alone: bool = False
    fresh: bool = True
    published_before: float = 0.0


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that a queue brought: what its record says. ``revision`` is that of the payload that it carries.

    ``session_id`` are the 16 bytes of the session's identifier: a record that outlived a restored database must not
    be taken for a batch of another session that has got the same number since.
    """

    key: BatchKey
    session_id: bytes
    n: int
    payload: bytes
    payload_at: bytes
    revision: int = 0


class Ledger(Protocol):
    """Claims and writes. Both are group commits: what many lanes ask for meanwhile shares one fsync."""

    async def claim(self, worker: bytes, wants: Sequence[Want]) -> list[Claim]:
        """Return batches that only this worker may work on until its lease ends, durable before it returns.

        Fresh work goes round-robin over sessions; due waiting batches come first. Recipients that an older token
        left ``sending`` or ``in_doubt`` are resolved in the same commit: by the session's policy back to pending
        and flagged, or ``unknown``. No work is an empty list.
        """
        ...

    async def take(self, worker: bytes, arrivals: Sequence[Arrival]) -> list[Claim | None]:
        """Claim the batches that a queue brought, in order, durable before it returns.

        ``None`` is for one that is not to be worked on now: claimed or settled already (a record that came twice),
        of a session that does not run, closed, another's (``session_id``), or unknown; its record can be
        acknowledged. A batch that the relay has published but not yet written down is claimed all the same. Where
        the session's payloads were revised since (``payload_rev``), the store's payload wins over the record's.
        """
        ...

    async def flush(self, writes: Sequence[Write]) -> list[Said]:
        """Write all; return what became of each, in order, once it is durable. One that is refused harms no other."""
        ...

    async def renew(self, worker: bytes) -> None:
        """Extend the lease of everything this worker holds."""
        ...

    def lease_end(self) -> float:
        """Return the monotonic time up to which this process's claims are certainly its own."""
        ...

    def holds(self, key: BatchKey, token: int) -> bool:
        """Tell whether a claim is still this process's own, as far as it knows.

        One that a renewal came too late for is not, and never becomes so again, whatever :meth:`lease_end` says by
        then: another process may have it.
        """
        ...

    async def sweep(self) -> int:
        """Give claims whose lease is over back; return how many. Twice is harmless."""
        ...

    async def next_due(self) -> float | None:
        """Return when the next waiting batch is due (UTC epoch seconds); ``None``: nothing waits."""
        ...

    async def changed(self) -> None:
        """Return when there may be new work to claim: a hint, that may come late or for nothing."""
        ...

    async def ping(self) -> None:
        """Return when a write would succeed."""
        ...
