"""The intake: what a queue carries is worked once, acknowledged last, and found when the queue loses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from pagerd.adapters.memory.queue import MemoryQueue
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.core.requests import Asker
from pagerd.core.states import BatchState
from pagerd.ports.queue import Delivery, Undecodable
from pagerd.worker import desk, intake
from pagerd.worker.worker import Worker

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
U, B = Priority.URGENT, Priority.BULK


class Acked(MemoryQueue):
    """Remembers what was acknowledged, and fails when it is told to."""

    def __init__(self, river: Any) -> None:
        super().__init__(river.broker)
        self.acked: list[Any] = []
        self.broken: list[Exception] = []

    async def take(self, priority: Priority, n: int) -> Sequence[Delivery | Undecodable]:
        if self.broken:
            raise self.broken.pop()
        return await super().take(priority, n)

    def ack(self, handle: Any) -> None:
        self.acked.append(handle)
        super().ack(handle)


@pytest.fixture
def queue(both: Any) -> Acked:
    return Acked(both)


Taking = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def taking(both: Any, between: Any, queue: Acked) -> AsyncIterator[Taking]:
    """Start a worker that takes from the queue; it is stopped at the end."""
    workers: list[Worker] = []

    async def start(lanes: int = 4, reserve: int = 0) -> Worker:
        tools = both.tools(between)
        made = both.intake(tools, queue, lanes=lanes)
        workers.append(Worker(tools, b"worker-a", lanes=lanes, reserve=reserve, intake=made))
        await workers[-1].start()
        return workers[-1]

    yield start
    both.provider.gate.set()
    for worker in workers:
        await asyncio.wait_for(worker.stop(5), 10)


async def relayed(river: Any) -> None:
    relay = river.relay()
    while not await relay.pulse():
        pass


def told(river: Any) -> list[str]:
    return sorted(message.to for message in river.provider.arrived)


def everybody(n: int) -> list[str]:
    return sorted(f"p{i}@example.com" for i in range(n))


def finished(river: Any, n: int) -> Any:
    return lambda: sum(d.state.word in ("succeeded", "failed") for d in river.watch.done) >= n


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_everybody_is_told_once_and_everything_is_acknowledged(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    session = await both.admit(60)
    await relayed(both)
    await taking()
    await both.watch.until(finished(both, 12))
    await until(lambda: len(queue.acked) == 12)
    view = await both.view(session)
    assert (view.state, view.told) == ("completed", 60)
    assert told(both) == everybody(60)


async def test_nothing_fresh_is_claimed_past_the_queue(both: Any, taking: Any) -> None:
    await both.publish()
    await both.admit(20)
    await taking()
    for _ in range(500):
        await asyncio.sleep(0)
    assert told(both) == []
    await relayed(both)
    await both.watch.until(finished(both, 4))


async def test_every_record_twice_and_everybody_once(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    await both.admit(60)
    await relayed(both)
    waiting = both.broker.waiting[B]
    for _, record in list(waiting):
        both.broker.put(B, record)
    await taking()
    await both.watch.until(finished(both, 12))
    await until(lambda: len(queue.acked) == 24)
    assert told(both) == everybody(60)


async def test_a_record_is_acknowledged_only_after_its_lane_has_ended(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    await both.admit(5)
    await relayed(both)
    both.provider.gate.clear()
    await taking()
    await both.watch.until(lambda: both.watch.batches_claimed)
    for _ in range(200):
        await asyncio.sleep(0)
    assert queue.acked == []
    both.provider.gate.set()
    await both.watch.until(finished(both, 1))
    await until(lambda: len(queue.acked) == 1)


async def test_what_was_put_off_is_acknowledged_and_comes_back_from_the_ledger(
    both: Any, queue: Acked, taking: Any
) -> None:
    from pagerd.adapters.memory.provider import LATER

    await both.publish()
    await both.admit(1)
    both.provider.say("p0@example.com", LATER)
    await relayed(both)
    await taking()
    await until(lambda: len(queue.acked) == 1)
    assert told(both) == []
    both.clock.advance(62)
    await both.admit(1)  # whatever happens wakes it; what is due goes with it
    await relayed(both)
    await both.watch.until(finished(both, 2))
    assert len(told(both)) == 2


async def test_urgent_work_has_its_reserve(both: Any, taking: Any) -> None:
    await both.publish()
    await both.admit(50)
    await relayed(both)
    both.provider.gate.clear()
    await taking(lanes=4, reserve=2)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 2)
    for i in range(3):
        await both.message(f"login{i}@example.com")
    await relayed(both)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 4)
    claimed = await both.store.read(lambda w: w.batches.in_state(1, [BatchState.CLAIMED, BatchState.DISPATCHING], 0, 9))
    assert len(claimed) == 2, "two batches of the big session, no more"


async def test_records_of_a_paused_session_are_acknowledged_unclaimed(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    session = await both.admit(20)
    await relayed(both)
    await both.control.pause(ASKER, session, None)
    await taking()
    await until(lambda: len(queue.acked) == 4)
    assert told(both) == []
    await both.control.resume(ASKER, session)
    await both.chores()
    await both.watch.until(finished(both, 4))
    assert told(both) == everybody(20)


async def test_what_the_broker_lost_is_found_in_the_ledger(both: Any, taking: Any) -> None:
    await both.publish()
    await both.admit(20)
    await relayed(both)
    both.broker.waiting[B].clear()
    await taking()
    for _ in range(500):
        await asyncio.sleep(0)
    assert told(both) == []
    both.clock.advance(30.5)
    await both.message()  # whatever happens wakes it
    await both.watch.until(finished(both, 4))
    assert told(both) == everybody(20)


async def test_what_waits_behind_others_is_not_lost(both: Any, between: Any, taking: Any, queue: Acked) -> None:
    """While records wait in hand, what was published a minute ago is left to the queue."""
    await both.publish()
    await both.admit(60)
    await relayed(both)
    both.clock.advance(60)
    both.provider.gate.clear()
    await taking(lanes=2)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 2)
    both.provider.gate.set()
    await both.watch.until(finished(both, 12))
    await until(lambda: len(queue.acked) == 12)
    assert told(both) == everybody(60)
    tokens = [(await both.store.read(lambda w, no=no: w.batches.get(BatchKey(1, no)))).token for no in range(1, 13)]
    assert tokens == [1] * 12


async def test_an_undecodable_record_is_kept_and_acknowledged(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    both.broker.put(B, b"\xc1 none of ours")
    await both.admit(5)
    await relayed(both)
    await taking()
    await both.watch.until(finished(both, 1))
    await until(lambda: len(queue.acked) == 2)
    (row,) = await both.store.read(lambda w: w.quarantine.newest(10))
    assert (row.topic, row.raw, row.taken_at) == ("bulk", b"\xc1 none of ours", both.clock.now())
    assert "quarantine" in both.watch.troubles[0][0]


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("a bug")])
async def test_a_queue_that_fails_is_asked_again(
    both: Any, queue: Acked, taking: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_TROUBLE_WAIT", 0.001)
    queue.broken = [error] * 6
    await both.publish()
    await both.admit(5)
    await relayed(both)
    await taking()
    await both.watch.until(finished(both, 1))
    assert len(both.watch.troubles) == 1, "said once"


async def test_a_ledger_that_fails_loses_no_record(
    both: Any, queue: Acked, between: Any, taking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_TROUBLE_WAIT", 0.001)
    await both.publish()
    await both.admit(20)
    await relayed(both)
    failing = [Unavailable("full"), RuntimeError("a bug")]
    inner = between.inner.take

    async def take(worker: bytes, arrivals: Any) -> Any:
        if failing:
            raise failing.pop()
        return await inner(worker, arrivals)

    between.take = take
    await taking()
    await both.watch.until(finished(both, 4))
    await until(lambda: len(queue.acked) == 4)
    assert told(both) == everybody(20)


async def test_a_stop_leaves_what_no_lane_has_begun_to_others(both: Any, queue: Acked, taking: Any) -> None:
    await both.publish()
    session = await both.admit(30, batch_size=1)
    await relayed(both)
    both.provider.gate.clear()
    worker = await taking(lanes=3)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 3)
    stopping = asyncio.create_task(worker.stop(10))
    await asyncio.sleep(0)
    both.provider.gate.set()
    await asyncio.wait_for(stopping, 10)
    assert len(queue.acked) == 3, "put off: the ledger knows when they are due"
    await queue.aclose()
    assert len(both.broker.waiting[B]) == 27
    assert set(await both.states(session)) == {"pending"}


async def test_an_idle_worker_does_not_spin(both: Any, between: Any, taking: Any) -> None:
    await taking(lanes=4, reserve=1)
    for _ in range(500):
        await asyncio.sleep(0)
    assert between.claims <= 3


async def test_what_a_queue_that_is_gone_was_given_is_found_without_it(both: Any, running: Any) -> None:
    """The setting was changed from a queue to the store itself."""
    await both.publish()
    await both.admit(20)
    await relayed(both)
    both.clock.advance(1)
    await running()
    await both.watch.until(finished(both, 4))
    assert told(both) == everybody(20)
