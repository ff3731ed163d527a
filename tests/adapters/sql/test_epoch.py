"""The restore guard: a database that was put back is known for it, through every crash in between."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pagerd.adapters.sql.sqlite.epoch import Epoch, mark_restored
from pagerd.adapters.sql.sqlite.store import SqliteStore


async def start(path: Path, if_restored: Any = None) -> bool:
    store = SqliteStore(path)
    try:
        return await Epoch(path).begin(store, if_restored)
    finally:
        await store.aclose()


async def test_a_database_that_goes_on_is_no_restored_one(path: Path) -> None:
    assert [await start(path) for _ in range(4)] == [False] * 4


async def test_an_older_copy_that_was_put_back_is_found_once(path: Path, tmp_path: Path) -> None:
    await start(path)
    shutil.copy(path, tmp_path / "backup")
    await start(path)
    shutil.copy(tmp_path / "backup", path)
    assert await start(path) is True
    assert await start(path) is False


async def test_a_copy_without_its_file_beside_is_found(path: Path) -> None:
    await start(path)
    path.with_name("pagerd.db.epoch").unlink()
    assert await start(path) is True


async def test_a_marked_backup_is_found_even_beside_the_newest_file(path: Path) -> None:
    await start(path)
    store = SqliteStore(path)
    await store.work(mark_restored)
    await store.aclose()
    assert await start(path) is True


@pytest.mark.parametrize("moment", ["before the file", "after the file", "before the database", "after the database"])
async def test_a_crash_in_the_middle_of_a_start_is_no_restore(
    path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(path)
    await crash(path, moment, monkeypatch)
    assert await start(path) is False


@pytest.mark.parametrize("moment", ["before the file", "after the file", "before the database", "in the pausing"])
async def test_a_crash_in_the_middle_of_a_restored_start_is_still_a_restore(
    path: Path, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(path)
    shutil.copy(path, tmp_path / "backup")
    await start(path)
    shutil.copy(tmp_path / "backup", path)
    await crash(path, moment, monkeypatch)
    paused = []

    async def pausing(store: SqliteStore) -> None:
        paused.append(store)

    assert await start(path, pausing) is True
    assert len(paused) == 1
    assert await start(path, pausing) is False
    assert len(paused) == 1


class Crash(BaseException):
    pass


async def crash(path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start, and die at a moment."""
    note, work = Epoch._note, SqliteStore.work

    def noting(self: Epoch, epochs: list[bytes]) -> None:
        if moment != "before the file":
            note(self, epochs)
        if moment.endswith("the file"):
            raise Crash

    async def working(self: SqliteStore, change: Any) -> Any:
        if moment == "before the database":
            raise Crash
        await work(self, change)
        raise Crash

    async def pausing(store: SqliteStore) -> None:
        if moment == "in the pausing":
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Epoch, "_note", noting)
        patch.setattr(SqliteStore, "work", working)
        with pytest.raises(Crash):
            await start(path, pausing)
