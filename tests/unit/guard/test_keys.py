"""API keys from their issue to their revocation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest

from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import FixedChance, HandClock
from pagerd.core import ids
from pagerd.core.errors import Invalid, Missing, NotSupportedYet, Unauthenticated
from pagerd.guard.keys import ApiKeys
from pagerd.guard.permissions import OF_A_KEY, Permission
from pagerd.ports.store import Work

T = TypeVar("T")


class CountingStore(MemoryStore):
    """Counts how often it was read."""

    reads = 0

    async def read(self, look: Callable[[Work], T]) -> T:
        self.reads += 1
        return await super().read(look)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def keys(store: CountingStore, clock: HandClock) -> ApiKeys:
    return ApiKeys(store, clock, FixedChance(clock))


async def issued(keys: ApiKeys, **fields: object) -> str:
    text, _ = await keys.issue(1, "shop", OF_A_KEY, **fields)  # type: ignore[arg-type]
    return text


async def test_a_key_lets_its_holder_in(keys: ApiKeys) -> None:
    text, row = await keys.issue(7, "shop", ["session.read", "session.create"])
    asker = await keys.authenticate(f"Bearer {text}")
    assert (asker.workspace, asker.key_id, asker.name, asker.live) == (7, row.id, "shop", True)
    assert asker.scopes == {Permission.SESSION_CREATE, Permission.SESSION_READ}


async def test_a_key_is_written_so_that_it_is_recognised(keys: ApiKeys) -> None:
    text, row = await keys.issue(1, "shop", OF_A_KEY)
    letter = "[0-9abcdefghjkmnpqrstvwxyz]"
    found = re.fullmatch(f"pgr_live_({letter}{{26}})_({letter}{{52}})_({letter}{{7}})", text)
    assert found
    assert ids.uncrockford(found[1], 16) == row.id
    assert len(ids.uncrockford(found[2], 32)) * 8 == 256


async def test_keys_have_nothing_in_common_but_their_prefix(keys: ApiKeys) -> None:
    secrets = {(await issued(keys)).split("_")[3] for _ in range(20)}
    assert len(secrets) == 20


async def test_only_the_hash_is_kept(keys: ApiKeys, store: CountingStore) -> None:
    text, row = await keys.issue(1, "shop", OF_A_KEY)
    kept = msgspec.json.encode(await store.read(lambda w: w.api_keys.all(1)))
    secret = text.split("_")[3]
    assert secret.encode() not in kept
    assert len(row.digest) == 32


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_without_regard_to_case(keys: ApiKeys, scheme: str) -> None:
    assert await keys.authenticate(f"{scheme}  {await issued(keys)} ")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "there is no key"),
        ("", "there is no key"),
        ("Bearer", "must read"),
        ("Bearer ", "must read"),
        ("Basic dXNlcjpwYXNz", "must read"),
        ("pgr_live_xyz", "must read"),
        ("Bearer sk_live_123", "not a key of Pager's"),
        ("Bearer pgr_live_", "mistyped or cut off"),
        ("Bearer pgr_live_" + "0" * 26 + "_" + "0" * 52 + "_" + "0" * 7, "mistyped or cut off"),
        ("Bearer pgr_live_\u00e9\ud800", "mistyped or cut off"),
    ],
)
async def test_what_is_no_key_is_refused_with_words_and_without_a_look(
    keys: ApiKeys, store: CountingStore, header: str | None, words: str
) -> None:
    with pytest.raises(Unauthenticated, match=words):
        await keys.authenticate(header)
    assert store.reads == 0


async def test_every_mistyped_character_is_noticed_without_a_look(keys: ApiKeys, store: CountingStore) -> None:
    text = await issued(keys)
    for at in range(len("pgr_live_"), len(text)):
        wrong = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        with pytest.raises(Unauthenticated, match="mistyped or cut off"):
            await keys.authenticate(f"Bearer {wrong}")
    for size in range(len("pgr_live_"), len(text)):
        with pytest.raises(Unauthenticated, match="mistyped or cut off"):
            await keys.authenticate(f"Bearer {text[:size]}")
    with pytest.raises(Unauthenticated, match="mistyped or cut off"):
        await keys.authenticate("Bearer pgr_live_" + text.removeprefix("pgr_live_").upper())
    assert store.reads == 0


async def test_words_never_repeat_what_was_sent(keys: ApiKeys) -> None:
    text = await issued(keys)
    for header in (f"Basic {text}", f"Bearer {text}x", f"Bearer x{text}"):
        with pytest.raises(Unauthenticated) as refused:
            await keys.authenticate(header)
        assert text[20:40] not in refused.value.detail


async def test_a_well_written_key_of_another_installation_is_unknown(keys: ApiKeys, clock: HandClock) -> None:
    elsewhere = ApiKeys(MemoryStore(), clock, FixedChance(clock, seed=2))
    with pytest.raises(Unauthenticated, match="not known here"):
        await keys.authenticate(f"Bearer {await issued(elsewhere)}")


async def test_test_keys_wait_for_the_simulator(keys: ApiKeys) -> None:
    text = await issued(keys, live=False)
    assert text.startswith("pgr_test_")
    with pytest.raises(NotSupportedYet):
        await keys.authenticate(f"Bearer {text}")


async def test_a_key_is_looked_up_at_most_once_a_second(keys: ApiKeys, store: CountingStore, clock: HandClock) -> None:
    header = f"Bearer {await issued(keys)}"
    for _ in range(10):
        await keys.authenticate(header)
    assert store.reads == 1
    clock.advance(1.0)
    await keys.authenticate(header)
    assert store.reads == 2


async def test_a_revoked_key_is_refused_at_once_here_and_within_a_second_elsewhere(
    keys: ApiKeys, store: CountingStore, clock: HandClock
) -> None:
    text, row = await keys.issue(1, "shop", OF_A_KEY)
    other = ApiKeys(store, clock, FixedChance(clock))
    for process in (keys, other):
        await process.authenticate(f"Bearer {text}")
    await keys.revoke(1, row.id)
    with pytest.raises(Unauthenticated, match="was revoked on 2027-01-15"):
        await keys.authenticate(f"Bearer {text}")
    clock.advance(1.0)
    with pytest.raises(Unauthenticated, match="was revoked"):
        await other.authenticate(f"Bearer {text}")


async def test_a_key_ends_at_its_expiry_also_when_it_was_just_looked_up(keys: ApiKeys, clock: HandClock) -> None:
    header = f"Bearer {await issued(keys, expires_at=clock.now() + 0.5)}"
    await keys.authenticate(header)
    clock.advance(0.5)
    with pytest.raises(Unauthenticated, match="expired on 2027-01-15"):
        await keys.authenticate(header)


async def test_a_scope_of_a_newer_release_is_not_granted(keys: ApiKeys, store: CountingStore) -> None:
    text, row = await keys.issue(1, "shop", ["session.read"])
    newer = MemoryStore()
    changed = msgspec.structs.replace(row, scopes=("session.read", "galaxy.rule"))
    await newer.work(lambda w: w.api_keys.add(changed))
    clock = HandClock()
    asker = await ApiKeys(newer, clock, FixedChance(clock)).authenticate(f"Bearer {text}")
    assert asker.scopes == {Permission.SESSION_READ}


async def test_memory_stays_bounded_however_many_keys_ask(
    keys: ApiKeys, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pagerd.guard.keys._KNOWN", 3)
    headers = [f"Bearer {await issued(keys)}" for _ in range(8)]
    for header in headers:
        await keys.authenticate(header)
    assert len(keys._seen) <= 3
    assert await keys.authenticate(headers[0])


async def test_keys_are_listed_newest_first_by_workspace(keys: ApiKeys) -> None:
    rows = [(await keys.issue(workspace, f"key {workspace}", []))[1] for workspace in (1, 2, 1)]
    await keys.revoke(1, rows[0].id)
    listed = await keys.list(1)
    assert [row.id for row in listed] == [rows[2].id, rows[0].id]
    assert listed[1].revoked_at is not None


async def test_revoking_twice_is_harmless_and_a_strange_key_is_missing(keys: ApiKeys) -> None:
    _, row = await keys.issue(1, "shop", [])
    await keys.revoke(1, row.id)
    await keys.revoke(1, row.id)
    for workspace, strange in ((2, row.id), (1, b"?" * 16)):
        with pytest.raises(Missing):
            await keys.revoke(workspace, strange)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "\x1b[31mred"])
async def test_a_key_needs_a_name_that_can_be_shown(keys: ApiKeys, name: str) -> None:
    with pytest.raises(Invalid) as wrong:
        await keys.issue(1, name, [])
    assert [fault.pointer for fault in wrong.value.faults] == ["/name"]
    assert await keys.list(1) == []


async def test_a_key_that_was_never_valid_is_not_issued(keys: ApiKeys, clock: HandClock) -> None:
    with pytest.raises(Invalid, match="in the past"):
        await keys.issue(1, "shop", [], expires_at=clock.now())
    with pytest.raises(Invalid, match="no scope"):
        await keys.issue(1, "shop", ["everything"])
