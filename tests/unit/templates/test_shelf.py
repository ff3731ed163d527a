"""Published versions on a shelf that processes share: one reads, all compile, and nobody can put a word in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagerd.adapters.memory.cache import MemoryCache
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import FixedChance, HandClock
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.seal.workspace import WorkspaceSeal
from pagerd.templates.library import Templates


class CountingStore(MemoryStore):
    """Counts looks."""

    looks = 0

    async def read(self, look: Any) -> Any:
        self.looks += 1
        return await super().read(look)


def draft(text: str) -> TemplateDraft:
    return TemplateDraft(variants=(Variant(channel=Channel.EMAIL, subject="Hi", text=text),))


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def cache(clock: HandClock) -> MemoryCache:
    return MemoryCache(clock)


@pytest.fixture
def process(store: CountingStore, seal: WorkspaceSeal, clock: HandClock, cache: MemoryCache) -> Callable[[], Templates]:
    return lambda: Templates(store, seal, clock, FixedChance(clock), shared=cache)


async def test_the_second_process_does_not_ask_the_store(
    process: Callable[[], Templates], store: CountingStore, cache: MemoryCache
) -> None:
    one, other = process(), process()
    await one.save(1, "hello", draft("Secret words"))
    await one.publish(1, "hello")
    await one.compiled(1, "hello", 1)
    looks = store.looks
    assert (await other.compiled(1, "hello", 1)) is not None
    assert store.looks == looks
    assert not [value for value, _ in cache._kept.values() if b"Secret" in value], "sealed, as in the store"


async def test_what_was_published_is_pinned_by_all_at_once(process: Callable[[], Templates]) -> None:
    one, other = process(), process()
    for version in (1, 2, 3):
        await one.save(1, "hello", draft(f"Number {version}"))
        await one.publish(1, "hello")
        assert (await other.pinned(1, "hello")).version == version


async def test_what_was_put_on_the_shelf_by_others_does_not_open(
    process: Callable[[], Templates], store: CountingStore, cache: MemoryCache
) -> None:
    one = process()
    for text in ("One", "Two"):
        await one.save(1, "hello", draft(text))
        await one.publish(1, "hello")
    await one.compiled(1, "hello", 1)
    await one.compiled(1, "hello", 2)
    sealed = {name: value for name, (value, _) in cache._kept.items()}
    for forged in (sealed["version:1:1:hello"], b"", b"rubbish" * 20):
        await cache.set("version:1:2:hello", forged, 60)
        looks = store.looks
        await process().compiled(1, "hello", 2)
        assert store.looks == looks + 1, "the store has the truth"
        assert cache._kept["version:1:2:hello"][0] == sealed["version:1:2:hello"], "and mends the shelf"
