from __future__ import annotations

import pytest

from pagerd.adapters.memory.keys import MemoryKeyRing, MemoryKeyStore
from pagerd.adapters.memory.time import HandClock
from pagerd.seal.hierarchy import Seal


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ring() -> MemoryKeyRing:
    return MemoryKeyRing(b"r" * 32)


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
async def seal(ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock) -> Seal:
    return await Seal.open(ring, store, clock, 7)
