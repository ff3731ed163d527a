"""Queues over a real broker, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pagerd.adapters.kafka.queue import KafkaQueue
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.ports.ledger import Arrival
from pagerd.ports.queue import Parcel
from pagerd.ports.watch import BatchDone

INSTALLATION = b"installation-one"


class Troubled:
    """Implements ``ports.watch.Watch``."""

    def __init__(self) -> None:
        self.troubles: list[BaseException] = []

    def batch_done(self, done: BatchDone) -> None:
        raise NotImplementedError

    def claimed(self, batches: int) -> None:
        raise NotImplementedError

    def trouble(self, what: str, error: BaseException) -> None:
        self.troubles.append(error)


@pytest.fixture
def troubled() -> Troubled:
    return Troubled()


@pytest.fixture
def settings(kafka_servers: str, unique: Callable[[str], str]) -> KafkaSettings:
    """Topics of the test's own."""
    return KafkaSettings(servers=kafka_servers, prefix=unique("kafka"), partitions=4)


@pytest.fixture
async def member(settings: KafkaSettings, troubled: Troubled) -> AsyncIterator[Callable[..., KafkaQueue]]:
    """Make members of the group of workers; other settings may be given."""
    made: list[KafkaQueue] = []

    def make(other: KafkaSettings | None = None, **options: Any) -> KafkaQueue:
        given = {"installation": INSTALLATION, "watch": troubled, "drain": 2.0} | options
        made.append(KafkaQueue(other or settings, **given))
        return made[-1]

    yield make
    for queue in made:
        await queue.aclose()


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    def make(no: int, priority: Priority = Priority.BULK, **fields: Any) -> Parcel:
        said = {
            "key": BatchKey(7, no),
            "session_id": b"session-with-id.",
            "n": 5,
            "payload": b"sealed %d" % no,
            "payload_at": b"\0\0\0\0" + no.to_bytes(4, "big"),
        }
        return Parcel(arrival=Arrival(**(said | fields)), priority=priority)

    return make
