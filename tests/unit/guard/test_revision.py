"""Keys in several processes: a revocation is felt within a second, whatever is kept and wherever."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.cache import MemoryCache
from pagerd.adapters.memory.keys import MemoryKeyRing, MemoryKeyStore
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import FixedChance, HandClock
from pagerd.core.errors import Unauthenticated, Unavailable
from pagerd.guard.keys import ApiKeys
from pagerd.guard.revision import FRESH, Revision
from pagerd.guard.shelf import KeyShelf
from pagerd.seal.hierarchy import Seal


class CountingStore(MemoryStore):
    """Counts how often a key was looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def read(self, look: Any) -> Any:
        self.looks += 1
        return await super().read(look)


class Process:
    """Keys as one process sees them; ``polls`` lets time pass as its loop would, looking twice a second."""

    def __init__(self, store: MemoryStore, clock: HandClock, seed: int, shelf: KeyShelf | None) -> None:
        chance = FixedChance(clock, seed)
        self.revision = Revision(store, clock, chance)
        self.keys = ApiKeys(store, clock, chance, self.revision, shelf)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture(params=["alone", "shelf"])
async def shelf(request: pytest.FixtureRequest, clock: HandClock) -> KeyShelf | None:
    if request.param == "alone":
        return None
    seal = await Seal.open(MemoryKeyRing(), MemoryKeyStore(), clock, 1)
    return KeyShelf(MemoryCache(clock), seal.workspace)


@pytest.fixture
def two(store: CountingStore, clock: HandClock, shelf: KeyShelf | None) -> tuple[Process, Process]:
    return Process(store, clock, 1, shelf), Process(store, clock, 2, shelf)


async def pass_time(clock: HandClock, seconds: float, *looking: Process) -> None:
    for _ in range(int(seconds * 2)):
        clock.advance(0.5)
        for process in looking:
            await process.revision.look()


async def test_a_key_is_believed_for_as_long_as_nothing_changes(
    two: tuple[Process, Process], store: CountingStore, clock: HandClock
) -> None:
    one, other = two
    text, row = await one.keys.issue(1, "shop", ["session.read"])
    await pass_time(clock, 1, one, other)
    for process in two:
        assert (await process.keys.authenticate(f"Bearer {text}")).key_id == row.id
    for _ in range(20):
        await pass_time(clock, 0.5, one, other)
        looks = store.looks
        assert (await other.keys.authenticate(f"Bearer {text}")).key_id == row.id
        assert store.looks == looks, "only the revision is asked for"


@pytest.mark.parametrize("looking", [True, False])
@pytest.mark.parametrize("just_before", [0.0, 0.1, 0.499])
async def test_a_revocation_is_felt_within_a_second(
    two: tuple[Process, Process], clock: HandClock, looking: bool, just_before: float
) -> None:
    one, other = two
    text, row = await one.keys.issue(1, "shop", ["session.read"])
    for _ in range(6):
        await pass_time(clock, 0.5, one, other)
        for process in two:
            await process.keys.authenticate(f"Bearer {text}")
    await one.keys.revoke(1, row.id)
    clock.advance(just_before)
    for process in two:
        try:
            await process.keys.authenticate(f"Bearer {text}")
        except Unauthenticated:
            continue
        assert process is other, "here at once, elsewhere within a second"
    await pass_time(clock, 1, *([one, other] if looking else []))
    clock.advance(0.0 if looking else FRESH - 1)
    for process in two:
        with pytest.raises(Unauthenticated, match="revoked"):
            await process.keys.authenticate(f"Bearer {text}")


async def test_what_stood_on_the_shelf_before_is_not_believed_longer(store: CountingStore, clock: HandClock) -> None:
    seal = await Seal.open(MemoryKeyRing(), MemoryKeyStore(), clock, 1)
    shelf = KeyShelf(MemoryCache(clock), seal.workspace)
    one, other = Process(store, clock, 1, shelf), Process(store, clock, 2, shelf)
    text, row = await one.keys.issue(1, "shop", ["session.read"])
    await one.revision.look()
    await other.revision.look()
    await one.keys.authenticate(f"Bearer {text}")
    clock.advance(0.9)
    await one.keys.revoke(1, row.id)
    await other.keys.authenticate(f"Bearer {text}")  # from the shelf; the revision was seen 0.9 s ago
    clock.advance(0.2)
    with pytest.raises(Unauthenticated, match="revoked"):
        await other.keys.authenticate(f"Bearer {text}")


async def test_whoever_can_write_to_the_cache_can_make_no_key_and_bring_none_back(
    store: CountingStore, clock: HandClock
) -> None:
    seal = await Seal.open(MemoryKeyRing(), MemoryKeyStore(), clock, 1)
    cache = MemoryCache(clock)
    shelf = KeyShelf(cache, seal.workspace)
    process = Process(store, clock, 1, shelf)
    text, row = await process.keys.issue(1, "shop", ["session.read"])
    await process.revision.look()
    await process.keys.authenticate(f"Bearer {text}")
    [(name, (sealed, _))] = cache._kept.items()
    assert row.name.encode() not in sealed
    await process.keys.revoke(1, row.id)
    await process.revision.look()
    now = process.revision.known
    assert now is not None
    replayed = f"key:{now.hex()}:{row.digest.hex()}"
    for forged in (sealed, msgspec.msgpack.encode(row), b"", b"x" * 100):
        await cache.set(replayed, forged, 60)
        assert await shelf.get(now, row.digest) is None
        with pytest.raises(Unauthenticated, match="revoked"):
            await process.keys.authenticate(f"Bearer {text}")
    assert name != replayed


async def test_a_store_that_is_away_makes_nothing_known(store: CountingStore, clock: HandClock) -> None:
    revision = Revision(store, clock, FixedChance(clock))
    await revision.look()
    assert revision.known is not None
    await store.aclose()
    clock.advance(FRESH)
    with pytest.raises(Unavailable):
        await revision.look()
    assert revision.known is None


async def test_two_changes_at_once_are_two_revisions(store: CountingStore, clock: HandClock) -> None:
    one, other = (Revision(store, clock, FixedChance(clock, seed)) for seed in (1, 2))
    seen = set()
    for revision in (one, other, one, other):
        await store.work(revision.mark)
        await one.look()
        seen.add(one.known)
    assert len(seen) == 4
