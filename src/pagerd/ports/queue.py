"""A queue: what carries complete sealed batches from the relay to workers. The database stays the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from pagerd.core.policy import Priority
from pagerd.ports.ledger import Arrival


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A batch to publish: sealed, complete, and in which queue; ``trace`` is a W3C traceparent, or empty."""

    arrival: Arrival
    priority: Priority
    trace: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was taken from the queue; ``handle`` is the adapter's own and goes back with ``ack``."""

    arrival: Arrival
    priority: Priority
    handle: Any
    trace: str = ""


class Undecodable(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is none of ours: its bytes as they came, where it stood, and what is wrong with it."""

    topic: str
    partition: int
    offset: int
    headers: bytes
    raw: bytes
    reason: str
    handle: Any


class Queue(Protocol):
    """Carries batches at least once, in no promised order. What it loses, the sweeper finds in the database."""

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Hand batches to the broker; tell for each whether it has taken it for good.

        ``False`` is for one that it never takes: too large a record. Published twice is harmless: the claim takes a
        batch once. Raises :class:`Unavailable` where the broker can't
        be reached; then nothing is known of any of them, and all may be published again.
        """
        ...

    async def take(self, priority: Priority, n: int) -> Sequence[Delivery | Undecodable]:
        """Return up to ``n`` records, waiting until there is one; each stays ours until :meth:`ack`.

        Raises :class:`Unavailable` where the broker can't be reached yet, and once the queue is closed.
        """
        ...

    def ack(self, handle: Any) -> None:
        """Let the broker forget a record, after its batch is settled or put off. Twice is harmless.

        It is told soon, not at once: a record whose acknowledgement died with us comes again, and so does one that
        went to another worker meanwhile.
        """
        ...

    async def lag(self) -> int:
        """Return how many records the workers together have not acknowledged yet: a hint of how many are needed."""
        ...

    async def ping(self) -> None:
        """Return when the broker answers and the topics are usable; raise with the setting and the remedy if not."""
        ...

    async def aclose(self) -> None:
        """Leave the group after what was acknowledged is committed; twice is harmless."""
        ...
