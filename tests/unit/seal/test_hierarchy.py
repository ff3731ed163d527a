"""Root key, workspace key, session keys: made once, kept wrapped, shredded for good."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pagerd.adapters.memory.keys import MemoryKeyRing, MemoryKeyStore
from pagerd.adapters.memory.time import HandClock
from pagerd.core.errors import Gone, SealBroken
from pagerd.ports.keys import WorkspaceKey, WrappedKey
from pagerd.seal import hierarchy
from pagerd.seal.hierarchy import Seal
from pagerd.seal.workspace import WorkspaceSeal

SESSION, PLACE, PLAIN = b"s" * 16, b"\0\0\0\1", b"the words for Ada"


class SlowKeyStore(MemoryKeyStore):
    """Answers only when it is let, so that callers overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.puts = 0

    async def put(self, key: WrappedKey) -> None:
        self.puts += 1
        self.asked.set()
        await self.go.wait()
        await super().put(key)

    async def get(self, key_id: bytes) -> WrappedKey | None:
        row = await super().get(key_id)
        self.asked.set()
        await self.go.wait()
        return row


async def test_a_second_process_opens_what_the_first_sealed(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    key = await seal.new_session_key()
    blob = key.seal("payload", SESSION, PLACE, PLAIN)
    draft = seal.workspace.seal("draft", b"welcome", b"Hello")

    other = await Seal.open(ring, store, clock, 7)
    again = await other.session_key(key.id)
    assert again.open("payload", SESSION, PLACE, blob) == PLAIN
    assert other.workspace.open("draft", b"welcome", draft) == b"Hello"
    assert other.index.of("ada@example.com") == seal.index.of("ada@example.com")


async def test_a_session_key_is_durable_before_it_is_given(seal: Seal, store: MemoryKeyStore) -> None:
    key = await seal.new_session_key()
    row = await store.get(key.id)
    assert row is not None
    assert (row.workspace, row.version) == (7, 1)


async def test_a_key_whose_store_fails_is_not_given(ring: MemoryKeyRing, clock: HandClock) -> None:
    class FullDisk(MemoryKeyStore):
        async def put(self, key: WrappedKey) -> None:
            raise OSError("no space left")

    seal = await Seal.open(ring, FullDisk(), clock, 7)
    for ask in (seal.new_session_key, seal.hourly_key, seal.hourly_key):
        with pytest.raises(OSError, match="no space left"):
            await ask()


async def test_every_session_key_is_another(seal: Seal) -> None:
    one, two = await seal.new_session_key(), await seal.new_session_key()
    assert one.id != two.id
    with pytest.raises(SealBroken):
        two.open("payload", SESSION, PLACE, one.seal("payload", SESSION, PLACE, PLAIN))


async def test_another_root_key_says_what_to_do(seal: Seal, store: MemoryKeyStore, clock: HandClock) -> None:
    with pytest.raises(SealBroken, match="does not open with this root key") as broken:
        await Seal.open(MemoryKeyRing(b"x" * 32), store, clock, 7)
    assert "put back the root key" in broken.value.remedy
    assert broken.value.code == "wrong_root_key"


async def test_two_that_make_a_workspace_at_once_agree(ring: MemoryKeyRing, clock: HandClock) -> None:
    class Racing(MemoryKeyStore):
        """Another process wins between the look and the insert."""

        async def add_workspace_key(self, key: WorkspaceKey) -> bool:
            if not self._workspaces:
                await Seal.open(ring, self.winner, clock, 7)
                self._workspaces.update(self.winner._workspaces)
            return await super().add_workspace_key(key)

        winner = MemoryKeyStore()

    store = Racing()
    loser = await Seal.open(ring, store, clock, 7)
    winner = await Seal.open(ring, store.winner, clock, 7)
    assert loser.index.of("a") == winner.index.of("a")
    assert winner.workspace.open("c", b"", loser.workspace.seal("c", b"", PLAIN)) == PLAIN


async def test_workspaces_do_not_open_each_others(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    other = await Seal.open(ring, store, clock, 8)
    key = await seal.new_session_key()
    with pytest.raises(SealBroken, match="another workspace"):
        await other.session_key(key.id)
    with pytest.raises(SealBroken, match="does not have"):
        other.workspace.open("draft", b"t", seal.workspace.seal("draft", b"t", PLAIN))
    assert other.index.of("ada@example.com") != seal.index.of("ada@example.com")


async def test_a_workspace_key_moved_to_another_workspace_fails(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    (row,) = await store.workspace_keys(7)
    await store.add_workspace_key(msgspec.structs.replace(row, workspace=9))
    with pytest.raises(SealBroken):
        await Seal.open(ring, store, clock, 9)


async def test_an_index_key_in_the_place_of_a_workspace_key_fails(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    (row,) = await store.workspace_keys(7)
    swapped = MemoryKeyStore()
    await swapped.add_workspace_key(msgspec.structs.replace(row, wrapped=row.wrapped_index))
    with pytest.raises(SealBroken):
        await Seal.open(ring, swapped, clock, 7)


async def test_swapped_session_keys_are_noticed(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    one, two = await seal.new_session_key(), await seal.new_session_key()
    row = await store.get(two.id)
    assert row is not None
    await store.drop(one.id)
    await store.put(msgspec.structs.replace(row, key_id=one.id))
    fresh = await Seal.open(ring, store, clock, 7)
    with pytest.raises(SealBroken, match="is another key"):
        await fresh.session_key(one.id)


async def test_a_version_that_is_not_there_is_named(seal: Seal, store: MemoryKeyStore) -> None:
    await store.put(WrappedKey(key_id=b"k" * 16, workspace=7, version=4, wrapped=b"w" * 56, created_at=0.0))
    with pytest.raises(SealBroken, match="version 4"):
        await seal.session_key(b"k" * 16)


async def test_a_shredded_key_is_gone_here_and_elsewhere(
    seal: Seal, ring: MemoryKeyRing, store: MemoryKeyStore, clock: HandClock
) -> None:
    key = await seal.new_session_key()
    await seal.shred(key.id)
    await seal.shred(key.id)
    for opened in (seal, await Seal.open(ring, store, clock, 7)):
        with pytest.raises(Gone):
            await opened.session_key(key.id)


async def test_a_key_shredded_while_it_is_being_read_is_not_kept(ring: MemoryKeyRing, clock: HandClock) -> None:
    store = SlowKeyStore()
    store.go.set()
    key = await (await Seal.open(ring, store, clock, 7)).new_session_key()
    seal = await Seal.open(ring, store, clock, 7)
    store.go.clear()
    store.asked.clear()
    reading = asyncio.create_task(seal.session_key(key.id))
    await store.asked.wait()
    await seal.shred(key.id)
    store.go.set()
    await reading
    with pytest.raises(Gone):
        await seal.session_key(key.id)


async def test_an_unknown_key_is_gone(seal: Seal) -> None:
    with pytest.raises(Gone):
        await seal.session_key(b"?" * 16)


async def test_held_keys_are_not_read_again_and_the_longest_unused_gives_way(
    seal: Seal, store: MemoryKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchy, "HELD", 2)
    one, two = await seal.new_session_key(), await seal.new_session_key()
    assert await seal.session_key(one.id) is one
    three = await seal.new_session_key()
    assert await seal.session_key(one.id) is one
    assert await seal.session_key(three.id) is three
    assert await seal.session_key(two.id) is not two


async def test_one_key_an_hour_however_many_ask(ring: MemoryKeyRing, clock: HandClock) -> None:
    store = SlowKeyStore()
    seal = await Seal.open(ring, store, clock, 7)
    asking = [asyncio.create_task(seal.hourly_key()) for _ in range(20)]
    await store.asked.wait()
    store.go.set()
    assert len({key.id for key in await asyncio.gather(*asking)}) == 1
    assert store.puts == 1


async def test_the_hour_is_that_of_the_clock(seal: Seal, clock: HandClock) -> None:
    clock.step(-(clock.now() % 3600))
    first = await seal.hourly_key()
    clock.advance(3599)
    assert await seal.hourly_key() is first
    clock.advance(1)
    assert (await seal.hourly_key()).id != first.id


async def test_a_shredded_hourly_key_is_not_given_again(seal: Seal) -> None:
    first = await seal.hourly_key()
    await seal.shred(first.id)
    assert (await seal.hourly_key()).id != first.id


def test_an_older_version_still_opens_and_the_newest_seals() -> None:
    old = WorkspaceSeal(7, {1: b"1" * 32})
    both = WorkspaceSeal(7, {2: b"2" * 32, 1: b"1" * 32})
    assert both.open("draft", b"t", old.seal("draft", b"t", PLAIN)) == PLAIN
    with pytest.raises(SealBroken, match="does not have"):
        old.open("draft", b"t", both.seal("draft", b"t", PLAIN))


def test_workspace_blobs_are_bound_to_column_and_place() -> None:
    seal = WorkspaceSeal(7, {1: b"1" * 32})
    blob = seal.seal("credential", b"mail", b"hunter2")
    assert b"hunter2" not in blob
    for column, place in (("draft", b"mail"), ("credential", b"sms")):
        with pytest.raises(SealBroken):
            seal.open(column, place, blob)


async def test_keys_do_not_show(seal: Seal) -> None:
    key = await seal.new_session_key()
    assert repr(seal._keys) == "WorkspaceKeys(versions=[1])"
    assert not hasattr(key, "__dict__")
