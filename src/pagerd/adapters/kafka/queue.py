"""The queue over Kafka: one topic for urgent work, one for bulk, one group of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from pagerd.adapters.kafka.consumer import Consumer
from pagerd.adapters.kafka.library import library
from pagerd.adapters.kafka.producer import Producer
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.adapters.kafka.topics import Topics
from pagerd.core.errors import PagerError, Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.queue import Delivery, Parcel, Undecodable
from pagerd.ports.watch import Watch

_DRAIN: Final = 10.0


class KafkaQueue:
    """Implements ``ports.queue.Queue``. A process that only publishes never joins the group of workers."""

    def __init__(self, settings: KafkaSettings, installation: bytes, watch: Watch, *, drain: float = _DRAIN) -> None:
        """``drain``: for how many seconds a partition that goes to another worker waits for what is under way."""
        library()
        self._settings = settings
        self._installation = installation
        self._watch = watch
        self._drain = drain
        self._topics: Topics | None = None
        self._largest = 0
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> Topics:
        """Create or check the topics and return them; twice is harmless.

        Raises :class:`Misconfigured` for what only a person can mend, and :class:`Unavailable` where the broker is
        away: the first use tries again.
        """
        async with self._opening:
            if self._closed:
                raise Unavailable("the queue is closing", code="closing")
            topics = self._topics or Topics(self._settings)
            if self._topics is None:
                self._largest = await asyncio.to_thread(topics.ready)
                self._topics = topics
            return topics

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Hand batches to the broker; tell for each whether it has taken it for good."""
        await self.open()
        if self._producer is None:
            self._producer = Producer(self._settings, self._installation, self._largest)
        return await self._producer.publish(parcels)

    async def take(self, priority: Priority, n: int) -> Sequence[Delivery | Undecodable]:
        """Return up to ``n`` records, waiting until there is one; each stays ours until :meth:`ack`."""
        await self.open()
        if self._consumer is None:
            self._consumer = Consumer(self._settings, self._installation, self._largest, self._trouble, self._drain)
        return await self._consumer.take(priority, n)

    def ack(self, handle: Any) -> None:
        """Let the broker forget a record, after its batch is settled or put off. Twice is harmless."""
        if self._consumer is not None:
            self._consumer.ack(handle)

    async def lag(self) -> int:
        """Return how many records the workers together have not acknowledged yet."""
        topics = await self.open()
        return await asyncio.to_thread(topics.lag)

    async def ping(self) -> None:
        """Return when the broker answers and the topics are usable; raise with the setting and the remedy if not."""
        topics = await self.open()
        await asyncio.to_thread(topics.check)

    async def aclose(self) -> None:
        """Leave the group after what was acknowledged is committed; twice is harmless."""
        self._closed = True
        for client in (self._consumer, self._producer):
            if client is not None:
                await asyncio.to_thread(client.close)

    def _trouble(self, error: PagerError) -> None:
        self._watch.trouble("the queue can't be read", error)
