"""What every pace keeps: never faster in sum than asked over any window, and a wait that is right."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pagerd.adapters.memory.pace import MemoryPace
from pagerd.adapters.memory.time import HandClock
from pagerd.core.rates import Rate
from pagerd.ports.pace import Pace

SLACK = 0.001
"""By so much the clock of Redis and ours may drift apart in a test."""


class Rig(Protocol):
    pace: Pace
    other: Pace
    """The pace of another process, where there can be one."""

    def now(self) -> float: ...

    async def passes(self, seconds: float) -> None: ...


class MemoryRig:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.pace = self.other = MemoryPace(self.clock)

    def now(self) -> float:
        return self.clock.monotonic()

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)


class RedisRig:
    def __init__(self, url: str) -> None:
        from pagerd.adapters.redis.link import Link
        from pagerd.adapters.redis.pace import RedisPace
        from pagerd.adapters.system.time import SystemClock

        self.links = [Link(url, f"test-{random.randbytes(8).hex()}:", SystemClock()) for _ in range(2)]
        self.links[1].prefix = self.links[0].prefix
        self.pace, self.other = (RedisPace(link, SystemClock()) for link in self.links)

    def now(self) -> float:
        return time.monotonic()

    async def passes(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.links[0].ping()

    async def aclose(self) -> None:
        for closing in (self.pace, self.other, *self.links):
            await closing.aclose()


@pytest.fixture(params=["memory", "redis"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryRig()
        return
    made = RedisRig(request.getfixturevalue("redis_url"))
    yield made
    await made.aclose()


async def test_what_fits_into_the_burst_leaves_at_once_and_then_it_waits_as_long_as_it_says(rig: Rig) -> None:
    rate = Rate(messages=50, burst=4)
    assert await rig.pace.take("a", rate, 3) == 0.0
    assert await rig.pace.take("a", rate, 1) == 0.0
    wait = await rig.pace.take("a", rate, 1)
    assert 0.02 - 0.01 < wait <= 0.02 + 1e-9
    await rig.passes(wait)
    assert await rig.pace.take("a", rate, 1) == 0.0


async def test_to_be_told_to_wait_takes_nothing(rig: Rig) -> None:
    rate = Rate(messages=10)
    assert await rig.pace.take("a", rate, 1) == 0.0
    first = await rig.pace.take("a", rate, 1)
    for _ in range(20):
        assert await rig.pace.take("a", rate, 1) <= first


async def test_more_than_the_burst_leaves_once_the_whole_burst_is_free_and_is_paid_for_after(rig: Rig) -> None:
    rate = Rate(messages=100, burst=2)
    assert await rig.pace.take("a", rate, 10) == 0.0
    wait = await rig.pace.take("a", rate, 10)
    assert 0.1 - 0.01 < wait <= 0.1 + 1e-9
    assert await rig.pace.take("a", rate, 1) <= wait - 0.01
    await rig.passes(wait)
    assert await rig.pace.take("a", rate, 10) == 0.0


async def test_keys_have_nothing_to_do_with_one_another(rig: Rig) -> None:
    rate = Rate(messages=1)
    assert await rig.pace.take("a", rate, 1) == 0.0
    assert await rig.pace.take("b", rate, 1) == 0.0
    assert await rig.pace.take("a", rate, 1) > 0.5


async def test_processes_share_one_rate(rig: Rig) -> None:
    rate = Rate(messages=1, burst=2)
    said = [await taker.take("a", rate, 1) for taker in (rig.pace, rig.other, rig.pace, rig.other)]
    assert said[:2] == [0.0, 0.0]
    assert min(said[2:]) > 0.9 - 0.01


async def test_a_slow_rate_is_a_slow_rate(rig: Rig) -> None:
    rate = Rate(messages=6, seconds=3600.0)
    assert await rig.pace.take("a", rate, 1) == 0.0
    assert await rig.pace.take("a", rate, 1) == pytest.approx(600.0, abs=1)


@pytest.mark.parametrize("burst", [1, 7, 50])
async def test_no_window_is_faster_than_the_rate_and_most_of_it_is_used(rig: Rig, burst: int) -> None:
    rate, chance = Rate(messages=2000, burst=burst), random.Random(burst)
    left: list[tuple[float, float, int]] = []
    began = rig.now()

    async def sender(pace: Pace) -> None:
        while (now := rig.now()) < began + 0.4:
            n = chance.choice([1, 1, 3, 5, 20])
            wait = await pace.take("a", rate, n)
            if wait == 0.0:
                left.append((now, rig.now(), n))
            else:
                await rig.passes(min(wait, 0.01))

    await asyncio.gather(*(sender(pace) for pace in (rig.pace, rig.other)))
    assert_paced(left, rate)
    # A busy machine does not come round in time for every turn; a clock in the hand does.
    assert sum(n for _, _, n in left) > (0.7 if isinstance(rig, MemoryRig) else 0.1) * 2000 * 0.4


def assert_paced(left: list[tuple[float, float, int]], rate: Rate) -> None:
    """Assert that between any two departures no more left than the rate allows, and once the most at once.

    A departure is (before it was asked for, after it was granted, how many).
    """
    left.sort()
    at_once = max(rate.burst, *(n for _, _, n in left))
    for i, (since, _, _) in enumerate(left):
        total, until = 0, since
        for _, after, n in left[i:]:
            total, until = total + n, max(until, after)
            assert total <= (until - since + SLACK) / rate.each + at_once


async def test_it_closes_twice_and_pings(rig: Rig) -> None:
    await rig.pace.take("a", Rate(messages=1), 1)
    await rig.pace.ping()
    await rig.pace.aclose()
    await rig.pace.aclose()
