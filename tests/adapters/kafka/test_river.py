"""From the request to the provider over SQLite and a real broker: everybody is told exactly once."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pagerd.adapters.kafka.queue import KafkaQueue
from pagerd.core.batches import BatchKey
from pagerd.core.requests import Asker
from pagerd.worker.worker import Worker

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)


@pytest.fixture(scope="module")
def rivers() -> ModuleType:
    """What ``tests/unit/river.py`` defines."""
    name = "pager_river"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "unit" / "river.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
async def river(rivers: ModuleType, tmp_path: Path) -> AsyncIterator[Any]:
    async with rivers.over_sqlite(tmp_path) as made:
        await made.publish()
        yield made
        await made.audit()


class Process:
    """A relay and a worker over one queue, as one process has them."""

    def __init__(self, river: Any, queue: KafkaQueue, name: bytes, lanes: int = 8) -> None:
        self.queue = queue
        tools = river.tools(river.ledger(name))
        self.relay = river.relay(queue=queue, ledger=river.ledger(name))
        intake = river.intake(tools, queue, name, lanes)
        self.worker = Worker(tools, name, lanes=lanes, reserve=1, intake=intake)

    async def start(self) -> None:
        self.relay.start()
        await self.worker.start()

    async def stop(self) -> None:
        await self.relay.stop()
        await self.worker.stop(5)
        await self.queue.aclose()


Processes = Callable[..., Any]


@pytest.fixture
async def process(river: Any, member: Any) -> AsyncIterator[Processes]:
    made: list[Process] = []

    async def start(name: bytes = b"worker-a", **options: Any) -> Process:
        one = Process(river, member(), name, **options)
        made.append(one)
        await one.start()
        return one

    yield start
    for one in made:
        await one.stop()


async def finished(river: Any, *sessions: str) -> None:
    async with asyncio.timeout(90):
        for session in sessions:
            while (await river.view(session)).state != "completed":
                await asyncio.sleep(0.02)


def told(river: Any) -> Counter[str]:
    return Counter(message.to for message in river.provider.arrived)


def once(n: int, start: int = 0) -> Counter[str]:
    return Counter(f"p{i}@example.com" for i in range(start, start + n))


async def test_everybody_is_told_once(river: Any, process: Any, rivers: Any) -> None:
    await process()
    sessions = [await river.admit(500), await river.admit(rivers.persons(300, start=1000), batch_size=7)]
    await river.message("login@example.com")
    await finished(river, *sessions)
    await river.watch.until(lambda: "login@example.com" in told(river))
    assert told(river) == once(500) + once(300, 1000) + Counter(["login@example.com"])


async def test_every_record_twice(river: Any, process: Any, member: Any, settings: Any) -> None:
    """The relay dies after publishing and before it moves the cursor; then another publishes all of it again."""
    session = await river.admit(400)
    publisher = member()
    river.points.kill("K3", 1)
    with pytest.raises(BaseException, match="K3"):
        await river.relay(queue=publisher).pulse()
    river.points.passed.clear()
    await process()
    await finished(river, session)
    assert told(river) == once(400)


async def test_offsets_reset_to_the_beginning(river: Any, process: Any, member: Any, settings: Any) -> None:
    first = await process()
    session = await river.admit(200)
    await finished(river, session)
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
    from confluent_kafka.admin import AdminClient

    await first.stop()
    client = AdminClient({"bootstrap.servers": settings.servers})
    places = [TopicPartition(f"{settings.prefix}.bulk", p, 0) for p in range(settings.partitions)]

    def reset() -> None:
        for future in client.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(settings.group, places)]
        ).values():
            future.result()

    await asyncio.to_thread(reset)
    other = await process(b"worker-b")
    late = await river.admit([{"to": "late@example.com", "data": {"name": "L"}}])
    await finished(river, late)
    async with asyncio.timeout(60):
        while await other.queue.lag():
            await asyncio.sleep(0.05)
    assert told(river) == once(200) + Counter(["late@example.com"])


async def test_a_worker_added_and_removed_in_the_middle(river: Any, process: Any, rivers: Any) -> None:
    await process(b"worker-a", lanes=2)
    session = await river.admit(1500)
    for done in (60, 120):
        other = await process(lanes=2)
        await river.watch.until(lambda done=done: len(river.watch.done) >= done, timeout=60)
        await other.stop()
    await finished(river, session)
    view = await river.view(session)
    assert (view.told, view.possible_duplicates) == (1500, 0)
    assert told(river) == once(1500)
    assert {row.losses for row in await river.store.read(lambda w: w.batches.page(1, 0, 1000))} == {0}


async def test_a_pause_in_the_middle(river: Any, process: Any) -> None:
    await process(lanes=2)
    session = await river.admit(600)
    await river.watch.until(lambda: len(river.watch.done) > 10, timeout=60)
    await river.control.pause(ASKER, session, None)
    await river.control.resume(ASKER, session)
    await river.chores()
    await finished(river, session)
    assert told(river) == once(600)


async def test_what_the_broker_does_not_take_goes_past_it(
    river: Any, process: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    client = AdminClient({"bootstrap.servers": settings.servers})
    wanted = [NewTopic(f"{settings.prefix}.bulk", 4, 1, config={"max.message.bytes": "66000"})]
    for future in client.create_topics(wanted).values():
        future.result()
    big = [{"to": f"p{i}@example.com", "data": {"name": "N" * 9000}} for i in range(10)]
    await process()
    sessions = [await river.admit(big, batch_size=10), await river.admit(5, template="hello")]
    await finished(river, *sessions)
    assert told(river) == once(10) + once(5)
    row = await river.store.read(lambda w: w.batches.get(BatchKey(1, 1)))
    assert row.published_at == 0.0
