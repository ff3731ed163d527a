"""Session keys in their own file: dropped ones are gone from it and from its log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagerd.adapters.sql.keystore import SqliteKeyStore
from pagerd.core.errors import Misconfigured
from pagerd.ports.keys import WrappedKey


def key(n: int) -> WrappedKey:
    return WrappedKey(key_id=os.urandom(16), workspace=1, version=1, wrapped=os.urandom(48), created_at=float(n))


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob("keys.db*"))


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
async def keystore(file: Path) -> AsyncIterator[SqliteKeyStore]:
    made = SqliteKeyStore(file)
    yield made
    await made.aclose()


@pytest.mark.parametrize("others", [0, 5, 300])
async def test_a_dropped_key_is_gone_from_the_file_and_its_log(
    keystore: SqliteKeyStore, file: Path, others: int
) -> None:
    keys = [key(n) for n in range(others + 1)]
    for one in keys:
        await keystore.put(one)
    gone = keys[others // 2]
    assert gone.wrapped in on_disk(file)
    await keystore.drop(gone.key_id)
    left = on_disk(file)
    assert gone.wrapped not in left
    assert gone.key_id not in left
    for one in keys:
        if one is not gone:
            assert await keystore.get(one.key_id) == one
    await keystore.drop(gone.key_id)


async def test_all_dropped_nothing_is_left(keystore: SqliteKeyStore, file: Path) -> None:
    keys = [key(n) for n in range(120)]
    for one in keys:
        await keystore.put(one)
    for one in keys:
        await keystore.drop(one.key_id)
    left = on_disk(file)
    assert not [one for one in keys if one.wrapped in left or one.wrapped[8:24] in left]


async def test_nobody_but_its_owner_may_read_the_file_and_its_log(keystore: SqliteKeyStore, file: Path) -> None:
    await keystore.put(key(1))
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.glob("keys.db*")}
    assert "keys.db-wal" in modes
    assert set(modes.values()) == {0o600}


async def test_keys_survive_the_process(file: Path) -> None:
    first, one = SqliteKeyStore(file), key(1)
    await first.put(one)
    await first.aclose()
    await first.aclose()
    second = SqliteKeyStore(file)
    assert await second.get(one.key_id) == one
    await second.aclose()


@pytest.mark.parametrize("broken", ["not a database", "no folder"])
async def test_what_is_no_key_store_is_said(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "keys.db"
    if broken == "no folder":
        file = tmp_path / "nowhere" / "keys.db"
    else:
        file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(Misconfigured) as error:
        SqliteKeyStore(file)
    assert error.value.remedy
