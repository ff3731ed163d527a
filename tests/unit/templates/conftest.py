"""The room over a store in memory, a real seal, and a clock in the test's hand."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

import pytest

from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import FixedChance, HandClock
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.seal.workspace import WorkspaceSeal
from pagerd.templates.library import Templates

WORKSPACE = 1


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    await store.aclose()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def seal() -> WorkspaceSeal:
    return WorkspaceSeal(WORKSPACE, {1: os.urandom(32)})


@pytest.fixture
def opened(store: MemoryStore, seal: WorkspaceSeal, clock: HandClock) -> Callable[..., Templates]:
    """Open the room; twice are two processes over one store."""

    def opened(cached: int = 256) -> Templates:
        return Templates(store, seal, clock, FixedChance(clock), cached=cached)

    return opened


@pytest.fixture
def templates(opened: Callable[..., Templates]) -> Templates:
    return opened()


@pytest.fixture(scope="session")
def draft() -> Callable[..., TemplateDraft]:
    """Make a draft whose subject is all that differs."""

    def made(subject: str = "Hello", text: str = "Hi {{ name }}", **fields: str) -> TemplateDraft:
        return TemplateDraft(variants=[Variant(channel=Channel.EMAIL, subject=subject, text=text)], **fields)

    return made
