"""What every queue promises: at least once, whole, until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest

from pagerd.adapters.memory.queue import MemoryBroker, MemoryQueue
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.ledger import Arrival
from pagerd.ports.queue import Delivery, Parcel, Queue
from pagerd.ports.watch import BatchDone

U, B = Priority.URGENT, Priority.BULK


class Broker(Protocol):
    """A broker with nothing in it."""

    def member(self) -> Queue:
        """Return another member of the group of workers."""
        ...


class OverMemory:
    def __init__(self) -> None:
        self._broker = MemoryBroker()

    def member(self) -> Queue:
        return MemoryQueue(self._broker)


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


class OverKafka:
    def __init__(self, servers: str, prefix: str) -> None:
        from pagerd.adapters.kafka.settings import KafkaSettings

        self._settings = KafkaSettings(servers=servers, prefix=prefix, partitions=4)

    def member(self) -> Queue:
        from pagerd.adapters.kafka.queue import KafkaQueue

        return KafkaQueue(self._settings, b"installation-one", Troubled(), drain=1.0)


@asynccontextmanager
async def memory(_request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    yield OverMemory()


@asynccontextmanager
async def kafka(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    unique = request.getfixturevalue("unique")
    yield OverKafka(request.getfixturevalue("kafka_servers"), unique("queue"))


BROKERS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Broker]]] = {
    "memory": memory,
    "kafka": kafka,
}


class Members:
    """Queues of one broker, closed at the end."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._made: list[Queue] = []

    def __call__(self) -> Queue:
        self._made.append(self._broker.member())
        return self._made[-1]

    async def aclose(self) -> None:
        for member in self._made:
            await member.aclose()


@pytest.fixture(params=BROKERS)
async def member(request: pytest.FixtureRequest) -> AsyncIterator[Members]:
    async with BROKERS[request.param](request) as broker:
        members = Members(broker)
        yield members
        await members.aclose()


@pytest.fixture
def queue(member: Members) -> Queue:
    return member()


def parcel(no: int, priority: Priority = B, **fields: Any) -> Parcel:
    said = {
        "key": BatchKey(7, no),
        "session_id": b"session-with-id.",
        "n": 5,
        "payload": b"\0sealed %d\xff" % no,
        "payload_at": b"\0\0\0\3" + no.to_bytes(4, "big"),
        "revision": 2,
    }
    return Parcel(arrival=Arrival(**(said | fields)), priority=priority, trace="00-ab-cd-01")


async def taken(queue: Queue, n: int, priority: Priority = B) -> list[Delivery]:
    """Take ``n`` records, however many come at once."""
    found: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(found) < n:
            some: Sequence[Any] = await queue.take(priority, n - len(found))
            assert 0 < len(some) <= n - len(found)
            found += some
    return found


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    return sorted(delivery.arrival.key.no for delivery in deliveries)


async def test_a_batch_arrives_as_it_was_published(queue: Queue) -> None:
    sent = parcel(1)
    assert await queue.publish([sent]) == [True]
    (got,) = await taken(queue, 1)
    assert (got.arrival, got.priority, got.trace) == (sent.arrival, B, "00-ab-cd-01")


async def test_nothing_is_published_by_an_empty_list(queue: Queue) -> None:
    assert await queue.publish([]) == []


async def test_all_of_many_arrive(queue: Queue) -> None:
    assert await queue.publish([parcel(no) for no in range(1, 501)]) == [True] * 500
    got = await taken(queue, 500)
    assert numbers(got) == list(range(1, 501))
    for delivery in got:
        queue.ack(delivery.handle)


async def test_urgent_and_bulk_have_queues_of_their_own(queue: Queue) -> None:
    await queue.publish([parcel(1), parcel(2, U), parcel(3)])
    assert numbers(await taken(queue, 1, U)) == [2]
    assert numbers(await taken(queue, 2)) == [1, 3]


async def test_no_more_than_asked_for(queue: Queue) -> None:
    await queue.publish([parcel(no) for no in range(1, 8)])
    first = await asyncio.wait_for(queue.take(B, 3), 30)
    assert 1 <= len(first) <= 3
    rest = await taken(queue, 7 - len(first))
    assert len(rest) == 7 - len(first)


async def test_whoever_takes_waits_until_there_is_something(queue: Queue) -> None:
    waiting = asyncio.create_task(taken(queue, 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.publish([parcel(1)])
    assert numbers(await waiting) == [1]


async def test_what_was_not_acknowledged_comes_to_another(member: Members) -> None:
    first, second = member(), member()
    await first.publish([parcel(no) for no in range(1, 5)])
    got = await taken(first, 4)
    for delivery in got:
        if delivery.arrival.key.no != 3:
            first.ack(delivery.handle)
    await first.aclose()
    async with asyncio.timeout(30):
        while 3 not in numbers(await taken(second, 1)):
            pass


async def test_what_was_acknowledged_does_not_come_again(member: Members) -> None:
    first, second = member(), member()
    await first.publish([parcel(no) for no in range(1, 21)])
    for delivery in reversed(await taken(first, 20)):
        first.ack(delivery.handle)
    await first.aclose()
    await second.publish([parcel(99)])
    assert numbers(await taken(second, 1)) == [99]


async def test_twice_acknowledged_is_harmless(queue: Queue) -> None:
    await queue.publish([parcel(1), parcel(2)])
    first, second = await taken(queue, 2)
    for handle in (first.handle, first.handle, second.handle, first.handle):
        queue.ack(handle)


async def test_acknowledged_too_late_is_harmless(member: Members) -> None:
    first, second = member(), member()
    await first.publish([parcel(1)])
    (got,) = await taken(first, 1)
    await first.aclose()
    first.ack(got.handle)
    (again,) = await taken(second, 1)
    assert again.arrival == got.arrival


async def test_published_twice_comes_twice(queue: Queue) -> None:
    await queue.publish([parcel(1)])
    await queue.publish([parcel(1)])
    assert numbers(await taken(queue, 2)) == [1, 1]


async def test_the_lag_is_what_nobody_has_acknowledged(member: Members) -> None:
    first, second = member(), member()
    await first.publish([parcel(no) for no in range(1, 5)] + [parcel(5, U)])
    assert await second.lag() == 5
    found = await taken(first, 4)
    assert await second.lag() == 5
    for delivery in found:
        first.ack(delivery.handle)
    async with asyncio.timeout(30):
        while await second.lag() != 1:
            pass


async def test_it_answers(queue: Queue) -> None:
    await queue.ping()


async def test_closed_twice_and_of_no_use_then(queue: Queue) -> None:
    await queue.publish([parcel(1)])
    await taken(queue, 1)
    await queue.aclose()
    await queue.aclose()
    with pytest.raises(Unavailable):
        await queue.publish([parcel(2)])
    with pytest.raises(Unavailable):
        await queue.take(B, 1)


async def test_whoever_waits_is_told_that_it_is_closed(queue: Queue) -> None:
    await queue.publish([parcel(1)])
    await taken(queue, 1)
    waiting = asyncio.create_task(queue.take(B, 1))
    await asyncio.sleep(0)
    await queue.aclose()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 10)
