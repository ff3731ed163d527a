"""Hints of progress: from the process that moves a session to whoever waits for it, and to nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from pagerd.adapters.memory.cache import MemoryBus
from pagerd.core.states import BatchState
from pagerd.ledger.progress import Progress
from pagerd.ports.watch import BatchDone

LONG = 30.0


class CountingBus(MemoryBus):
    told = 0

    async def tell(self, topic: str, what: bytes) -> None:
        self.told += 1
        await super().tell(topic, what)


def done(session: str) -> BatchDone:
    return BatchDone(
        session=session, no=1, token=1, state=BatchState.SUCCEEDED, people=5, kinds={}, provider="mail", seconds=0.1
    )


@pytest.fixture
async def two() -> AsyncIterator[tuple[Progress, Progress, CountingBus]]:
    bus = CountingBus()
    made = Progress(bus), Progress(bus)
    running = [asyncio.create_task(progress.run()) for progress in made]
    await asyncio.wait(running, timeout=0)
    yield *made, bus
    for task in running:
        task.cancel()
    await asyncio.wait(running)


async def test_whoever_waits_for_a_session_wakes_when_it_moves_here_and_elsewhere(
    two: tuple[Progress, Progress, CountingBus],
) -> None:
    worker, api, _ = two
    waiting = [asyncio.ensure_future(progress.moved("ses_a", LONG)) for progress in (worker, api, api)]
    other = asyncio.ensure_future(api.moved("ses_b", LONG))
    await asyncio.wait(waiting, timeout=0)
    worker.batch_done(done("ses_a"))
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    assert not other.done()
    other.cancel()
    await asyncio.wait([other])
    assert not api._waiting, "nothing is left behind"


async def test_nothing_moved_is_the_time_that_was_given(two: tuple[Progress, Progress, CountingBus]) -> None:
    began = time.monotonic()
    await two[1].moved("ses_a", 0.05)
    assert 0.05 <= time.monotonic() - began < 5


async def test_a_storm_is_told_of_four_times_a_second(two: tuple[Progress, Progress, CountingBus]) -> None:
    worker, api, bus = two
    began, woken = time.monotonic(), 0
    while time.monotonic() - began < 0.9:
        for n in range(500):
            worker.batch_done(done(f"ses_{n}"))
        await api.moved("ses_7", 0.05)
        woken += 1
    assert 3 <= bus.told <= 5


async def test_a_gap_wakes_everybody(two: tuple[Progress, Progress, CountingBus]) -> None:
    _, api, bus = two
    waiting = asyncio.ensure_future(api.moved("ses_a", LONG))
    await asyncio.wait([waiting], timeout=0)
    for queue in bus._listeners:
        queue.put_nowait(("", b""))
    async with asyncio.timeout(10):
        await waiting
