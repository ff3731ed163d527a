"""Four processes with one pace, whose Redis is killed in the middle; and one that leaves, dies, or is cut off."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tools.servers.redis import RedisServer

from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.redis.link import REST, Link
from pagerd.adapters.redis.pace import HEARD, RedisPace
from pagerd.adapters.system.time import SystemClock
from pagerd.core.rates import Rate

DEADLINE = 60.0
SENDER = Path(__file__).with_name("sender.py")
RATE = Rate(messages=200, burst=5)
AT_ONCE = 5


@pytest.fixture
def server(private_redis: Callable[..., RedisServer]) -> RedisServer:
    return private_redis()


class Sender:
    """A process that sends as fast as the pace lets it, and reports every departure on its standard output."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.left: list[tuple[float, float, int]] = []
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, url: str) -> Sender:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, str(SENDER), url, json.dumps([RATE.messages, RATE.burst, AT_ONCE]),
                stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE,
            )
        )  # fmt: skip

    async def _read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            before, after, n = line.split()
            self.left.append((float(before), float(after), int(n)))
            self._news.set()
        self._news.set()

    async def leaves_after(self, moment: float) -> float:
        """Return when the first message after a moment left."""
        while not self.left or self.left[-1][0] <= moment:
            assert self.child.stdout is not None
            assert not self.child.stdout.at_eof(), "it died: its standard error says why"
            self._news.clear()
            await self._news.wait()
        return next(at for at, _, _ in self.left if at > moment)

    async def end(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        await self.child.wait()
        await self._reader


def assert_paced(left: list[tuple[float, float, int]]) -> None:
    """Assert that nothing between any two departures was faster than the rate, however busy the machine is.

    Alone, each process may send its few at once when the others do.
    """
    for i, (since, _, _) in enumerate(left):
        total, until = 0, since
        for _, after, n in left[i:]:
            total, until = total + n, max(until, after)
            assert total <= RATE.messages * (until - since + 0.005) + 4 * AT_ONCE


async def test_four_processes_keep_one_pace_while_redis_is_killed_and_comes_back(server: RedisServer) -> None:
    async with asyncio.timeout(DEADLINE):
        senders = [await Sender.start(server.url) for _ in range(4)]
        await asyncio.gather(*(sender.leaves_after(0) for sender in senders))
        began = time.monotonic()
        await asyncio.gather(*(sender.leaves_after(began + 1.5) for sender in senders))
        killed = time.monotonic()
        server.kill()
        alone = max(await asyncio.gather(*(sender.leaves_after(killed + 1.0) for sender in senders)))
        await asyncio.gather(*(sender.leaves_after(alone + 2.0) for sender in senders))
        server.start()
        back = time.monotonic()
        await asyncio.gather(*(sender.leaves_after(back + 3.0) for sender in senders))
        over = time.monotonic()
        await asyncio.gather(*(sender.end() for sender in senders))
    left = sorted(departure for sender in senders for departure in sender.left)
    assert_paced(left)
    for span in ((began, killed), (alone, back), (back + 2.0, over)):
        assert between(left, *span) > 0.4 * RATE.messages, "the rate is used: with Redis, without, and with it again"


def between(left: list[tuple[float, float, int]], since: float, until: float) -> float:
    """Return how many left per second in a span."""
    return sum(n for at, _, n in left if since <= at < until) / (until - since)


class Crowd:
    """Workers of one Redis in this process, all ears."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.open: list[Any] = []

    def worker(self, **options: Any) -> RedisPace:
        link = Link(self.url, "test:", SystemClock())
        pace = RedisPace(link, SystemClock(), **options)
        self.open += [pace, link]
        return pace


@pytest.fixture
async def crowd(server: RedisServer) -> AsyncIterator[Crowd]:
    made = Crowd(server.url)
    yield made
    for closing in made.open:
        await closing.aclose()


async def comes_to(pace: RedisPace, workers: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while pace.workers != workers:
            await pace.take("a", Rate(messages=1e5), 1)


async def test_workers_are_counted_as_they_come_and_go(crowd: Crowd) -> None:
    paces = [crowd.worker() for _ in range(3)]
    for pace in paces:
        await pace.take("a", RATE, 1)
    await comes_to(paces[0], 3)
    await paces[2].aclose()
    await comes_to(paces[0], 2)


async def test_the_share_of_one_that_fell_silent_is_left_to_it(crowd: Crowd) -> None:
    stays, dies = crowd.worker(), crowd.worker()
    rate = Rate(messages=1)
    await dies.take("b", rate, 1)
    await stays.take("b", rate, 1)
    assert await stays.take("b", rate, 1) <= 1.0
    assert dies._beat is not None
    dies._beat.cancel()  # as kill -9 does
    async with asyncio.timeout(DEADLINE):
        began = time.monotonic()
        while (wait := await stays.take("c", rate, 1)) <= 1.0:
            assert time.monotonic() - began < HEARD * 3
    assert wait <= 2.0


async def test_one_that_loses_redis_is_silent_until_the_others_know(server: RedisServer) -> None:
    clock = HandClock()
    link = Link(server.url, "test:", clock)
    pace = RedisPace(link, clock, share_of=4)
    rate = Rate(messages=40, burst=1)
    assert await pace.take("a", rate, 1) == 0.0
    server.kill()
    assert await pace.take("a", rate, 1) == pytest.approx(HEARD + 0.1)
    clock.advance(HEARD)
    assert await pace.take("a", rate, 1) == pytest.approx(0.1)
    clock.advance(0.1)
    assert await pace.take("a", rate, 1) == 0.0
    assert await pace.take("a", rate, 1) == pytest.approx(0.1), "a quarter of the rate"
    await pace.aclose()
    await link.aclose()


async def test_a_share_is_never_more_than_the_setting_says(server: RedisServer) -> None:
    server.kill()
    clock = HandClock()
    link = Link(server.url, "test:", clock)
    pace = RedisPace(link, clock, share_of=10)
    sent = 0
    for _ in range(1000):
        sent += await pace.take("a", Rate(messages=100, burst=5), 1) == 0.0
        clock.advance(0.01)
    assert 60 <= sent <= 100
    await pace.aclose()
    await link.aclose()


async def test_who_comes_back_first_leaves_the_others_their_share_and_has_no_burst(server: RedisServer) -> None:
    clock = HandClock()
    links = [Link(server.url, "test:", clock) for _ in range(2)]
    first, late = (RedisPace(link, clock) for link in links)
    rate = Rate(messages=1, burst=4)
    for pace in (first, late, first):
        assert await pace.take("a", rate, 1) == 0.0
    assert late._beat is not None
    late._beat.cancel()  # it does not come back for a while, and goes on alone
    assert first.workers == 2
    server.kill()
    for pace in (first, late):
        assert await pace.take("a", rate, 1) > HEARD
    server.start()
    clock.advance(REST)
    for key in ("a", "b"):
        # "a" was used alone, so what was left of its burst counts as spent; "b" has what a half of the rate may burst.
        said = [await first.take(key, rate, 1) for _ in range(3)]
        assert said.count(0.0) == {"a": 0, "b": 2}[key]
        assert 1.0 < said[-1] <= 2.0, "half of the rate"
    assert await late.take("b", rate, 1) <= 1.0, "all of it, in common again"
    assert first.workers == late.workers == 2
    for closing in (first, late, *links):
        await closing.aclose()
