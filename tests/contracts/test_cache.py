"""What every cache and every bus keeps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from pagerd.adapters.memory.cache import MemoryBus, MemoryCache
from pagerd.adapters.memory.time import HandClock
from pagerd.ports.cache import Bus, Cache

DEADLINE = 10.0


class Rig(Protocol):
    """A cache and a bus, and the same as another process sees them."""

    cache: Cache
    other: Cache
    bus: Bus
    other_bus: Bus

    async def passes(self, seconds: float) -> None: ...


class MemoryRig:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.cache = self.other = MemoryCache(self.clock)
        self.bus = self.other_bus = MemoryBus()

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def aclose(self) -> None: ...


class RedisRig:
    def __init__(self, url: str) -> None:
        from pagerd.adapters.redis.bus import RedisBus
        from pagerd.adapters.redis.cache import RedisCache
        from pagerd.adapters.redis.link import Link
        from pagerd.adapters.system.time import SystemClock

        prefix = f"test-{random.randbytes(8).hex()}:"
        self.links = [Link(url, prefix, SystemClock()) for _ in range(2)]
        self.cache, self.other = (RedisCache(link) for link in self.links)
        self.bus, self.other_bus = (RedisBus(link) for link in self.links)

    async def passes(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.links[0].ping()

    async def aclose(self) -> None:
        for link in self.links:
            await link.aclose()


@pytest.fixture(params=["memory", "redis"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    made = MemoryRig() if request.param == "memory" else RedisRig(request.getfixturevalue("redis_url"))
    yield made
    for closing in (made.cache, made.other, made.bus, made.other_bus, made):
        await closing.aclose()


async def test_what_is_not_there_is_none_and_dropping_it_is_harmless(rig: Rig) -> None:
    assert await rig.cache.get("a") is None
    await rig.cache.drop("a")


async def test_what_one_process_sets_another_gets_byte_for_byte(rig: Rig) -> None:
    value = bytes(range(256)) * 100
    await rig.cache.set("a", value, 60)
    await rig.cache.set("b", b"", 60)
    assert await rig.other.get("a") == value
    assert await rig.other.get("b") == b""


async def test_a_later_value_replaces_an_earlier_one_and_its_time(rig: Rig) -> None:
    await rig.cache.set("a", b"1", 0.05)
    await rig.other.set("a", b"2", 60)
    await rig.passes(0.1)
    assert await rig.cache.get("a") == b"2"


async def test_what_is_dropped_or_too_old_is_gone(rig: Rig) -> None:
    await rig.cache.set("a", b"1", 60)
    await rig.cache.set("b", b"1", 0.05)
    await rig.cache.set("c", b"1", 60)
    await rig.cache.set("c", b"1", 0)
    await rig.other.drop("a")
    await rig.passes(0.1)
    assert [await rig.cache.get(key) for key in "abc"] == [None, None, None]


async def test_names_may_hold_anything(rig: Rig) -> None:
    for key in ("ä ö", "a\nb", "*", "x" * 1000):
        await rig.cache.set(key, key.encode(), 60)
        assert await rig.other.get(key) == key.encode()


async def test_it_answers_a_ping_and_closes_twice(rig: Rig) -> None:
    await rig.cache.ping()
    await rig.cache.aclose()
    await rig.cache.aclose()


def test_the_cache_of_a_process_is_bounded() -> None:
    async def fill() -> None:
        cache = MemoryCache(HandClock(), most=3)
        for key in "abc":
            await cache.set(key, b"1", 60)
        await cache.get("a")
        await cache.set("d", b"1", 60)
        assert [key for key in "abcd" if await cache.get(key)] == ["a", "c", "d"]

    asyncio.run(fill())


class Ear:
    """Listens, and lets a test wait for what it hears."""

    def __init__(self, bus: Bus, *topics: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._listen(bus, topics))

    async def _listen(self, bus: Bus, topics: tuple[str, ...]) -> None:
        async for hint in bus.listen(*topics):
            self.heard.append(hint)
            self._changed.set()

    async def until(self, hint: tuple[str, bytes], seconds: float = DEADLINE) -> None:
        async with asyncio.timeout(seconds):
            while hint not in self.heard:
                self._changed.clear()
                await self._changed.wait()

    async def ready(self, bus: Bus, topic: str) -> None:
        """Return once it certainly listens: when it has heard something."""
        async with asyncio.timeout(DEADLINE):
            while (topic, b"are you there") not in self.heard:
                await bus.tell(topic, b"are you there")
                self._changed.clear()
                await asyncio.wait([asyncio.ensure_future(self._changed.wait())], timeout=0.05)

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_every_listener_of_a_topic_hears_and_nobody_else(rig: Rig) -> None:
    ears = [Ear(rig.bus, "a", "b"), Ear(rig.other_bus, "a"), Ear(rig.bus, "c")]
    for ear, topic in zip(ears, "aac", strict=True):
        await ear.ready(rig.other_bus, topic)
    await rig.bus.tell("a", b"\0\xff")
    await rig.other_bus.tell("b", b"only one")
    await rig.bus.tell("nobody", b"listens")
    await rig.bus.tell("c", b"end")
    await ears[0].until(("b", b"only one"))
    await ears[1].until(("a", b"\0\xff"))
    await ears[2].until(("c", b"end"))
    assert ("a", b"\0\xff") in ears[0].heard
    assert {topic for topic, _ in ears[1].heard} == {"a"}
    assert {topic for topic, _ in ears[2].heard} == {"c"}
    for ear in ears:
        await ear.aclose()


async def test_nobody_who_does_not_listen_is_waited_for(rig: Rig) -> None:
    async with asyncio.timeout(DEADLINE):
        for _ in range(3000):
            await rig.bus.tell("a", b"x")


async def test_who_does_not_keep_up_is_told_of_a_gap() -> None:
    bus = MemoryBus()
    hints = bus.listen("a")
    first = asyncio.ensure_future(anext(hints))
    await asyncio.wait([first], timeout=0)
    for n in range(5000):
        await bus.tell("a", str(n).encode())
    heard = [await first]
    while heard[-1] != ("a", b"4999"):
        heard.append(await anext(hints))
    assert ("", b"") in heard
    assert len(heard) < 1100
    await hints.aclose()  # type: ignore[attr-defined]
