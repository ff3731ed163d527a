"""Several processes over one store: what one changes of the providers, the others follow within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pagerd.adapters.memory.cache import MemoryBus
from pagerd.adapters.memory.time import FixedChance
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel
from pagerd.core.requests import ProviderDraft
from pagerd.guard.revision import FRESH, Revision
from pagerd.route.providers import Providers, Sharing

FILE = {"mail": ProviderDraft(kind="memory")}


class Process:
    """The providers of a process of their own, over the river's store."""

    def __init__(self, river: Any, seed: int, bus: MemoryBus | None = None) -> None:
        self.chance = FixedChance(river.clock, seed)
        self.revision = Revision(river.store, river.clock, self.chance, bus)
        self.providers = Providers(
            river.store, river.seal, river.clock, self.chance, {"memory": river.kind},
            loopback_only=True, sharing=Sharing(revision=self.revision),
        )  # fmt: skip

    async def paused(self, asker: Any, name: str) -> str | None:
        return str(said) if (said := (await self.providers.get(asker, name)).paused) is not None else None


@pytest.fixture
async def two(both: Any) -> AsyncIterator[tuple[Process, Process]]:
    made = Process(both, 1), Process(both, 2)
    for process in made:
        await process.providers.load(1, FILE)
    yield made
    for process in made:
        await process.providers.aclose()


async def test_what_one_puts_pauses_and_changes_the_other_follows(
    two: tuple[Process, Process], both: Any, rivers: Any
) -> None:
    api, worker = two
    await api.providers.put(rivers.ASKER, "aaa", ProviderDraft(kind="memory", sender="a@example.com", credential="x"))
    await worker.revision.look()
    assert both.credentials[-1] == "x"
    assert [view.name for view in await worker.providers.all(rivers.ASKER)] == ["aaa", "mail"]
    await api.providers.pause(rivers.ASKER, "aaa", "quota")
    await worker.revision.look()
    assert await worker.paused(rivers.ASKER, "aaa") == "quota"
    await worker.providers.resume(rivers.ASKER, "aaa")
    await api.revision.look()
    assert await api.paused(rivers.ASKER, "aaa") is None
    await api.providers.put(rivers.ASKER, "aaa", ProviderDraft(kind="memory", enabled=False))
    await worker.revision.look()
    assert not (await worker.providers.get(rivers.ASKER, "aaa")).enabled


async def test_a_pause_opens_nothing_again(two: tuple[Process, Process], both: Any, rivers: Any) -> None:
    api, worker = two
    await api.providers.put(rivers.ASKER, "aaa", ProviderDraft(kind="memory"))
    await worker.revision.look()
    opened = len(both.opened)
    for _ in range(3):
        await api.providers.pause(rivers.ASKER, "aaa", "quota")
        await worker.revision.look()
        await api.revision.look()
        await worker.providers.resume(rivers.ASKER, "aaa")
        await api.revision.look()
        await worker.revision.look()
    assert len(both.opened) == opened, "connections and breakers live on"


async def test_the_pause_of_a_provider_of_the_file_reaches_the_others_and_lasts(
    two: tuple[Process, Process], both: Any, rivers: Any
) -> None:
    api, worker = two
    await api.providers.pause(rivers.ASKER, "mail", "moving house")
    await worker.revision.look()
    carrier = worker.providers.choose(Channel.EMAIL)
    assert carrier is not None
    assert carrier.wait() > 0
    start = Process(both, 3)
    await start.providers.load(1, FILE)
    assert await start.paused(rivers.ASKER, "mail") == "moving house"
    await start.providers.resume(rivers.ASKER, "mail")
    await worker.revision.look()
    assert carrier.wait() == 0
    await start.providers.aclose()


async def test_one_that_can_t_be_opened_here_keeps_nobody_from_the_others(
    two: tuple[Process, Process], both: Any, rivers: Any
) -> None:
    api, worker = two
    await api.providers.put(rivers.ASKER, "aaa", ProviderDraft(kind="memory"))
    row = await both.store.read(lambda work: work.providers.get(1, "aaa"))
    import msgspec

    newer = msgspec.structs.replace(row, name="aab", kind="pigeon", number=0, id=b"n" * 16)
    await both.store.work(lambda work: work.providers.put(newer))
    await api.providers.put(rivers.ASKER, "bbb", ProviderDraft(kind="memory"))
    for _ in range(2):  # and it is not forgotten that something is wrong
        with pytest.raises(Invalid, match="pigeon"):
            await worker.revision.look()
    assert [view.name for view in await worker.providers.all(rivers.ASKER)] == ["aaa", "bbb", "mail"]


async def test_nothing_is_looked_at_while_nothing_changes(two: tuple[Process, Process], rivers: Any) -> None:
    api, worker = two
    followed = []

    async def follower() -> None:
        followed.append(1)

    worker.revision.follow(follower)
    await worker.revision.look()
    await api.providers.pause(rivers.ASKER, "mail", None)
    for _ in range(5):
        await worker.revision.look()
    assert len(followed) == 1


@pytest.mark.parametrize("hinted", [True, False])
async def test_a_change_is_felt_within_a_second_with_hints_and_without(both: Any, rivers: Any, hinted: bool) -> None:
    bus = MemoryBus() if hinted else None
    api, worker = Process(both, 1, bus), Process(both, 2, bus)
    for process in (api, worker):
        await process.providers.load(1, FILE)
    changed = asyncio.Event()

    async def follower() -> None:
        changed.set()

    worker.revision.follow(follower)
    loop = asyncio.create_task(worker.revision.run(both.watch))
    waits = []
    for reason in ("one", "two", "three"):
        began = time.monotonic()
        await api.providers.pause(rivers.ASKER, "mail", reason)
        async with asyncio.timeout(10):
            while await worker.paused(rivers.ASKER, "mail") != reason:
                changed.clear()
                await changed.wait()
        waits.append(time.monotonic() - began)
    loop.cancel()
    await asyncio.wait([loop])
    assert max(waits) < (0.3 if hinted else FRESH)
    for process in (api, worker):
        await process.providers.aclose()
