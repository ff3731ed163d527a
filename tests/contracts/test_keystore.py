"""What every key store promises; an adapter joins with one line in ``MAKERS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest

from pagerd.adapters.memory.keys import MemoryKeyStore
from pagerd.adapters.sql.keystore import SqliteKeyStore
from pagerd.ports.keys import KeyStore, WorkspaceKey, WrappedKey


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    yield MemoryKeyStore()


@asynccontextmanager
async def sqlite(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    store = SqliteKeyStore(request.getfixturevalue("tmp_path") / "keys.db")
    yield store
    await store.aclose()


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    from pagerd.adapters.sql.postgres.keystore import PostgresKeyStore

    store = PostgresKeyStore(request.getfixturevalue("postgres_url"))
    await store.made()
    await store.made()
    yield store
    await store.aclose()


MAKERS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[KeyStore]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "postgres": postgres,
}


@pytest.fixture(params=MAKERS)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyStore]:
    async with MAKERS[request.param](request) as made:
        yield made


def workspace_key(workspace: int = 1, version: int = 1, wrapped: bytes = b"w") -> WorkspaceKey:
    return WorkspaceKey(
        workspace=workspace, version=version, wrapped=wrapped, wrapped_index=b"\0i", created_at=1_800_000_000.25
    )


def session_key(first: int = 1, created_at: float = 1_800_000_000.5) -> WrappedKey:
    return WrappedKey(
        key_id=bytes((first,)) + b"k" * 15, workspace=1, version=1, wrapped=b"\0\xff" * 28, created_at=created_at
    )


async def test_an_unknown_workspace_has_no_keys(store: KeyStore) -> None:
    assert await store.workspace_keys(1) == []


async def test_workspace_keys_come_back_whole_oldest_first(store: KeyStore) -> None:
    for version in (2, 1, 10):
        assert await store.add_workspace_key(workspace_key(version=version))
    assert await store.workspace_keys(1) == [workspace_key(version=version) for version in (1, 2, 10)]


async def test_workspaces_are_apart(store: KeyStore) -> None:
    await store.add_workspace_key(workspace_key(workspace=1))
    assert await store.add_workspace_key(workspace_key(workspace=2))
    assert await store.workspace_keys(2) == [workspace_key(workspace=2)]


async def test_a_version_that_is_there_stays(store: KeyStore) -> None:
    assert await store.add_workspace_key(workspace_key(wrapped=b"first"))
    assert not await store.add_workspace_key(workspace_key(wrapped=b"second"))
    (row,) = await store.workspace_keys(1)
    assert row.wrapped == b"first"


async def test_a_session_key_comes_back_whole(store: KeyStore) -> None:
    await store.put(session_key())
    assert await store.get(session_key().key_id) == session_key()


async def test_a_session_key_put_twice_is_harmless(store: KeyStore) -> None:
    await store.put(session_key())
    await store.put(session_key())
    assert await store.get(session_key().key_id) == session_key()


async def test_an_unknown_session_key_is_none(store: KeyStore) -> None:
    assert await store.get(b"?" * 16) is None


async def test_a_shredded_key_is_gone_and_twice_is_harmless(store: KeyStore) -> None:
    await store.put(session_key(1))
    await store.put(session_key(2))
    await store.drop(session_key(1).key_id)
    await store.drop(session_key(1).key_id)
    assert await store.get(session_key(1).key_id) is None
    assert await store.get(session_key(2).key_id) == session_key(2)


async def test_dropping_what_never_was_is_harmless(store: KeyStore) -> None:
    await store.drop(b"?" * 16)
    assert await store.get(b"?" * 16) is None


async def test_old_keys_are_listed_in_order_by_pages(store: KeyStore) -> None:
    rows = [session_key(first, created_at=100.0 + first) for first in (5, 3, 1, 4, 2)]
    for row in rows:
        await store.put(row)
    ids = sorted(row.key_id for row in rows)
    assert await store.older_than(1_000.0, b"", 10) == ids
    assert await store.older_than(1_000.0, b"", 2) == ids[:2]
    assert await store.older_than(1_000.0, ids[1], 2) == ids[2:4]
    assert await store.older_than(1_000.0, ids[4], 2) == []


async def test_a_key_created_at_that_very_time_is_not_older(store: KeyStore) -> None:
    await store.put(session_key(1, created_at=100.0))
    await store.put(session_key(2, created_at=99.75))
    assert await store.older_than(100.0, b"", 10) == [session_key(2).key_id]


async def test_a_key_replaced_after_shredding_is_the_new_one(store: KeyStore) -> None:
    await store.put(session_key())
    await store.drop(session_key().key_id)
    again = msgspec.structs.replace(session_key(), wrapped=b"other")
    await store.put(again)
    assert await store.get(session_key().key_id) == again


async def test_it_answers(store: KeyStore) -> None:
    await store.ping()
