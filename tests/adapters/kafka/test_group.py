"""The group of workers over a real broker: members that come and go, offsets, outages, records that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from pagerd.adapters.kafka import consumer
from pagerd.adapters.kafka.queue import KafkaQueue
from pagerd.adapters.kafka.settings import KafkaSettings, Secret
from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.queue import Delivery, Undecodable

B = Priority.BULK


async def taken(queue: KafkaQueue, n: int) -> list[Delivery]:
    """Take ``n`` records, however many come at once."""
    found: list[Delivery] = []
    async with asyncio.timeout(60):
        while len(found) < n:
            some: Sequence[Any] = await queue.take(B, n - len(found))
            found += some
    return found


def numbers(found: Sequence[Delivery]) -> list[int]:
    return sorted(delivery.arrival.key.no for delivery in found)


def committed(settings: KafkaSettings) -> dict[int, int]:
    """Return the committed offsets of the bulk topic, as another client sees them; none is left out."""
    from confluent_kafka import Consumer, TopicPartition

    client = Consumer({"bootstrap.servers": settings.servers, "group.id": settings.group})
    try:
        asked = [TopicPartition(settings.topic(B), p) for p in range(settings.partitions)]
        return {one.partition: one.offset for one in client.committed(asked, timeout=10) if one.offset >= 0}
    finally:
        client.close()


def members(settings: KafkaSettings) -> int:
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": settings.servers})
    (found,) = client.describe_consumer_groups([settings.group]).values()
    return len(found.result().members)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


class Worker:
    """Takes and acknowledges until it is stopped; ``seen`` is shared by all of a group."""

    def __init__(self, queue: KafkaQueue, seen: list[int]) -> None:
        self.queue = queue
        self._seen = seen
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            for one in await self.queue.take(B, 10):
                assert isinstance(one, Delivery)
                await asyncio.sleep(0)
                self._seen.append(one.arrival.key.no)
                self.queue.ack(one.handle)

    async def stop(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task
        await self.queue.aclose()


async def test_nothing_is_committed_before_it_is_acknowledged(
    member: Any, parcel: Any, settings: KafkaSettings
) -> None:
    one = msgspec.structs.replace(settings, partitions=1)
    queue = member(one)
    await queue.publish([parcel(no) for no in range(10)])
    found = await taken(queue, 10)
    found.sort(key=lambda delivery: delivery.handle[1])
    for delivery in found[4:]:
        queue.ack(delivery.handle)
    assert await asyncio.to_thread(committed, one) == {}
    for delivery in found[:2]:
        queue.ack(delivery.handle)
    await until(lambda: committed(one) == {0: 2})
    for delivery in found:
        queue.ack(delivery.handle)
    await until(lambda: committed(one) == {0: 10})


async def test_members_that_come_and_go_lose_nothing(member: Any, parcel: Any) -> None:
    seen: list[int] = []
    first = Worker(member(), seen)
    total = 0
    workers = [first]
    for turn in range(6):
        await first.queue.publish([parcel(no) for no in range(total, total + 50)])
        total += 50
        if turn % 2 == 0:
            workers.append(Worker(member(), seen))
        else:
            await workers.pop().stop()
        wanted = total - 25
        async with asyncio.timeout(60):
            while len(set(seen)) < wanted:
                await asyncio.sleep(0.005)
    async with asyncio.timeout(60):
        while len(set(seen)) < total:
            await asyncio.sleep(0.005)
    for worker in workers:
        await worker.stop()
    assert set(seen) == set(range(total))


async def test_work_is_shared(member: Any, parcel: Any) -> None:
    first, second = member(), member()
    await first.publish([parcel(0)])
    shared = {0: 0, 1: 0}
    async with asyncio.timeout(60):
        while not all(shared.values()):
            await first.publish([parcel(no) for no in range(40)])
            for at, queue in enumerate((first, second)):
                with_patience = asyncio.create_task(queue.take(B, 40))
                done, _ = await asyncio.wait([with_patience], timeout=0.3)
                if not done:
                    with_patience.cancel()
                    continue
                for one in with_patience.result():
                    queue.ack(one.handle)
                    shared[at] += 1


async def test_a_partition_that_goes_waits_for_what_is_under_way(
    member: Any, parcel: Any, settings: KafkaSettings
) -> None:
    """Another joins while the first has everything in its lanes: what that finishes in time does not come twice."""
    first, second = member(drain=20.0), member(drain=20.0)
    await first.publish([parcel(no) for no in range(40)])
    found = await taken(first, 40)
    joining = asyncio.create_task(second.take(B, 40))
    await until(lambda: members(settings) == 2)
    assert not joining.done()
    for delivery in found:
        first.ack(delivery.handle)
    await until(lambda: sum(committed(settings).values()) == 40)
    await first.publish([parcel(no) for no in range(100, 140)])
    (one, *_) = await asyncio.wait_for(joining, 30)
    assert one.arrival.key.no >= 100


async def test_offsets_reset_to_the_beginning_bring_everything_again(
    member: Any, parcel: Any, settings: KafkaSettings
) -> None:
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import AdminClient

    first = member()
    await first.publish([parcel(no) for no in range(20)])
    for delivery in await taken(first, 20):
        first.ack(delivery.handle)
    await first.aclose()
    client = AdminClient({"bootstrap.servers": settings.servers})
    places = [TopicPartition(settings.topic(B), p, 0) for p in range(settings.partitions)]
    wanted = [ConsumerGroupTopicPartitions(settings.group, places)]

    def reset() -> None:
        for future in client.alter_consumer_group_offsets(wanted).values():
            future.result()

    await asyncio.to_thread(reset)
    assert numbers(await taken(member(), 20)) == list(range(20))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    """Buffers that are soon full; return how many records fill one."""
    monkeypatch.setattr(consumer, "HIGH", 64)
    monkeypatch.setattr(consumer, "_LOW", 32)
    monkeypatch.setattr(consumer, "_PORTION", 10)
    return 64


async def test_a_full_buffer_pauses_its_partitions_and_no_others(member: Any, parcel: Any, narrow: int) -> None:
    queue = member()
    n = narrow * 10
    await queue.publish([parcel(no) for no in range(n)])
    first = await taken(queue, 1)
    await until(lambda: B in queue._consumer._paused)
    await queue.publish([parcel(n, Priority.URGENT)])
    (urgent,) = await asyncio.wait_for(queue.take(Priority.URGENT, 1), 30)
    assert urgent.arrival.key.no == n
    assert len(queue._consumer._buffers[B]) <= 2 * narrow
    rest = await taken(queue, n - 1)
    assert numbers([*first, *rest]) == list(range(n))


async def test_a_buffer_of_many_bytes_is_full_too(
    member: Any, parcel: Any, narrow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_WIDE", 50_000)
    queue = member()
    await queue.publish([parcel(no, payload=b"x" * 10_000) for no in range(60)])
    first = await taken(queue, 1)
    await until(lambda: B in queue._consumer._paused)
    assert len(queue._consumer._buffers[B]) < 40
    assert numbers([*first, *await taken(queue, 59)]) == list(range(60))


async def test_what_was_paused_flows_again_after_others_joined(member: Any, parcel: Any, narrow: int) -> None:
    """The partitions that stay were paused; with those that go, their share of the full buffer is dropped."""
    first, second = member(), member()
    await first.publish([parcel(no) for no in range(narrow * 10)])
    held = await taken(first, 1)
    await until(lambda: B in first._consumer._paused)
    joined = asyncio.create_task(second.take(B, 1))
    first.ack(held[0].handle)
    seen = {held[0].arrival.key.no, (await asyncio.wait_for(joined, 60))[0].arrival.key.no}
    workers = [asyncio.create_task(_take_all(queue, seen)) for queue in (first, second)]
    async with asyncio.timeout(60):
        while len(seen) < narrow * 10:
            await asyncio.sleep(0.01)
    for worker in workers:
        worker.cancel()


async def _take_all(queue: KafkaQueue, seen: set[int]) -> None:
    while True:
        for one in await queue.take(B, 10):
            assert isinstance(one, Delivery)
            seen.add(one.arrival.key.no)
            queue.ack(one.handle)


async def test_records_that_are_none_of_ours(member: Any, parcel: Any, settings: KafkaSettings) -> None:
    from confluent_kafka import Producer

    queue = member()
    await queue.ping()
    strange = Producer({"bootstrap.servers": settings.servers})
    strange.produce(settings.topic(B), b"\xff\x00 hello", headers=[("x", b"\xfe"), ("y", None)])
    strange.produce(settings.topic(B), None, headers=[("pagerd", b"1")])
    strange.flush(10)
    elsewhere = member(installation=b"installation-two")
    await elsewhere.publish([parcel(1)])
    await queue.publish([parcel(2)])
    found: list[Any] = await taken(queue, 4)
    bad = [one for one in found if isinstance(one, Undecodable)]
    assert sorted(one.raw for one in bad) == [b"", b"sealed 1", b"\xff\x00 hello"]
    (hello,) = [one for one in bad if one.raw.endswith(b"hello")]
    assert (hello.topic, hello.reason) == (settings.topic(B), "it is no record of Pager's")
    assert msgspec.msgpack.decode(hello.headers) == [["x", b"\xfe"], ["y", None]]
    assert numbers([one for one in found if isinstance(one, Delivery)]) == [2]
    for one in found:
        queue.ack(one.handle)
    await until(lambda: sum(committed(settings).values()) == 4)


async def test_a_record_that_is_too_large_is_refused_and_harms_no_other(
    member: Any, parcel: Any, settings: KafkaSettings
) -> None:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    client = AdminClient({"bootstrap.servers": settings.servers})
    wanted = [NewTopic(settings.topic(B), 4, 1, config={"max.message.bytes": "70000"})]
    for future in client.create_topics(wanted).values():
        future.result()
    queue = member()
    parcels = [parcel(1), parcel(2, payload=b"x" * 80_000), parcel(3, payload=b"x" * 60_000), parcel(4)]
    assert await queue.publish(parcels) == [True, False, True, True]
    assert numbers(await taken(queue, 3)) == [1, 3, 4]


async def test_a_broker_that_is_shot_and_comes_back(
    member: Any, parcel: Any, private_kafka: Any, make_certificate: Any, troubled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SASL and TLS on."""
    from pagerd.adapters.kafka import library

    certificate = make_certificate()
    server = await asyncio.to_thread(lambda: private_kafka(users={"pagerd": "correct horse"}, tls=certificate))
    monkeypatch.setattr(
        library,
        "producing",
        lambda *given, real=library.producing: real(*given) | {"message.timeout.ms": 2000},
    )
    from pagerd.adapters.kafka import producer

    monkeypatch.setattr(producer, "producing", library.producing)
    settings = KafkaSettings(
        servers=server.servers,
        partitions=4,
        security="sasl_ssl",
        username="pagerd",
        password=Secret("correct horse"),
        ca=str(certificate.chain),
    )
    queue = member(settings)
    assert await queue.publish([parcel(no) for no in range(10)]) == [True] * 10
    first = await taken(queue, 10)
    await asyncio.to_thread(server.kill)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(queue.publish([parcel(10)]), 30)
    for delivery in first:
        queue.ack(delivery.handle)
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(60):
        while True:
            try:
                assert await queue.publish([parcel(11)]) == [True]
            except Unavailable:
                continue
            break
    seen: set[int] = set()
    async with asyncio.timeout(60):
        while 11 not in seen:
            for one in await queue.take(B, 10):
                seen.add(one.arrival.key.no)
                queue.ack(one.handle)
    assert 0 < len(troubled.troubles) < 10, "said once a change"
