"""A Redis that is killed, hangs, or was never there: nothing raises, little is waited for, and all comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tools.servers.redis import RedisServer

from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.redis.bus import RedisBus
from pagerd.adapters.redis.cache import RedisCache
from pagerd.adapters.redis.link import PATIENCE, REST, Link
from pagerd.adapters.system.time import SystemClock
from pagerd.core.errors import Misconfigured, Unavailable

DEADLINE = 20.0


@pytest.fixture
def server(private_redis: Callable[..., RedisServer]) -> RedisServer:
    return private_redis()


@pytest.fixture
async def hand() -> HandClock:
    return HandClock()


@pytest.fixture
async def link(server: RedisServer, hand: HandClock) -> AsyncIterator[Link]:
    made = Link(server.url, "test:", hand)
    yield made
    await made.aclose()


class Questions:
    """Asks many at once, and counts those that Redis is really asked."""

    def __init__(self, link: Link) -> None:
        self.asked = 0
        self._link = link

    async def ask(self, n: int) -> None:
        await asyncio.gather(*(self._link.ask(self._question) for _ in range(n)), return_exceptions=True)

    async def _question(self, client: Any) -> None:
        self.asked += 1
        await client.ping()


async def test_a_dead_redis_costs_little_and_comes_back(server: RedisServer, link: Link, hand: HandClock) -> None:
    cache = RedisCache(link)
    await cache.set("a", b"1", 60)
    assert await cache.get("a") == b"1"
    server.kill()
    assert await cache.get("a") is None
    began = time.monotonic()
    for _ in range(1000):
        assert await cache.get("a") is None
        await cache.set("a", b"2", 60)
        await cache.drop("a")
    assert time.monotonic() - began < 1.0, "nobody asks again within the second"
    with pytest.raises(Unavailable) as down:
        await cache.ping()
    assert down.value.code == "redis_down"
    server.start()
    questions = Questions(link)
    await questions.ask(10)
    assert questions.asked == 0, "still resting"
    hand.advance(REST)
    await questions.ask(1)
    await questions.ask(10)
    assert questions.asked == 11
    await cache.set("a", b"3", 60)
    assert await cache.get("a") == b"3"


async def test_a_redis_that_hangs_is_waited_for_a_quarter_second_by_one(
    server: RedisServer, link: Link, hand: HandClock
) -> None:
    cache = RedisCache(link)
    await cache.set("a", b"1", 60)
    server.pause()
    began = time.monotonic()
    assert await cache.get("a") is None
    assert PATIENCE * 0.9 < time.monotonic() - began < PATIENCE * 6
    questions = Questions(link)
    hand.advance(REST)
    await questions.ask(100)
    assert questions.asked == 1, "one probes, nobody else waits"
    server.resume()
    hand.advance(REST)
    assert await cache.get("a") == b"1"


async def test_a_full_redis_is_no_cache_and_no_error(private_redis: Callable[..., RedisServer]) -> None:
    full = private_redis(settings={"maxmemory": "1mb", "maxmemory-policy": "noeviction"})
    link = Link(full.url, "test:", HandClock())
    cache = RedisCache(link)
    await cache.set("a", b"x" * 4096, 60)
    assert await cache.get("a") is None
    await link.aclose()


async def test_a_listener_survives_the_death_of_redis_and_is_told_of_the_gap(server: RedisServer) -> None:
    link = Link(server.url, "test:", SystemClock())
    bus = RedisBus(link)
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def listen() -> None:
        async for hint in bus.listen("a"):
            heard.put_nowait(hint)

    async def told(what: bytes) -> tuple[str, bytes]:
        """Tell until something is heard."""
        while True:
            await bus.tell("a", what)
            try:
                return await asyncio.wait_for(heard.get(), 0.1)
            except TimeoutError:
                continue

    ear = asyncio.create_task(listen())
    async with asyncio.timeout(DEADLINE):
        assert await told(b"1") == ("a", b"1")
        server.kill()
        await bus.tell("a", b"lost")
        server.start()
        hint = await told(b"2")
        while hint == ("a", b"1"):
            hint = await told(b"2")
        assert hint == ("", b""), "first that something may be missing"
        assert await told(b"3") in {("a", b"2"), ("a", b"3")}
    ear.cancel()
    await asyncio.wait([ear])
    await link.aclose()


async def test_a_listener_may_begin_before_redis_is_there(server: RedisServer) -> None:
    server.kill()
    link = Link(server.url, "test:", SystemClock())
    first = asyncio.ensure_future(anext(aiter(RedisBus(link).listen("a"))))
    await asyncio.wait([first], timeout=0.05)
    server.start()
    async with asyncio.timeout(DEADLINE):
        assert await first == ("", b"")
    await link.aclose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "no scheme"),
        ("h:6379", "no scheme"),
        ("redis://", "no host"),
        ("redis://h:99999", "ort"),
        ("redis://h/abc", "'abc' is no number"),
        ("redis://h?timeout=3", "'timeout' is no option"),
        ("redis://h?ca_file=x", "for rediss:// only"),
        ("redis+unix://h/x", "no socket"),
    ],
)
def test_a_url_that_is_none_names_the_setting_and_the_remedy(url: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as refused:
        Link(url, "", HandClock(), "cache")
    assert refused.value.detail.startswith("cache: ")
    assert "redis://[user:password@]host" in refused.value.remedy


def test_no_password_is_shown() -> None:
    link = Link("redis://shop:s3cr%2Ft@h:1/2", "", HandClock())
    assert link.address.options == {"host": "h", "port": 1, "db": 2, "username": "shop", "password": "s3cr/t"}
    assert "s3cr" not in repr(link.address) + link.address.shown


async def test_keys_of_one_installation_are_not_those_of_another(redis_url: str) -> None:
    links = [Link(redis_url, prefix, HandClock()) for prefix in ("one:", "two:")]
    one, two = (RedisCache(link) for link in links)
    await one.set("a", b"1", 60)
    assert await two.get("a") is None
    for link in links:
        await link.aclose()
