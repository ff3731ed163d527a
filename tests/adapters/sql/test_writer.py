"""The one writer: many jobs in few commits, one that fails harms no other, a full disk is survived."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pagerd.adapters.sql.sqlite.writer import Hands, Writer
from pagerd.core.errors import Conflict, PagerError, Unavailable


def setting(name: str, value: bytes = b"x") -> Callable[[Hands], str]:
    def run(hands: Hands) -> str:
        hands.raw.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))
        return name

    return run


def names(path: Path) -> set[str]:
    """Return what another process would read."""
    raw = sqlite3.connect(path)
    try:
        return {row[0] for row in raw.execute("SELECT name FROM fact")}
    finally:
        raw.close()


def held(writer: Writer) -> threading.Event:
    """Keep the writer busy until the event that is returned is set, so that jobs gather."""
    go_on, started = threading.Event(), threading.Event()

    def wait(hands: Hands) -> None:
        started.set()
        go_on.wait(10)

    writer.post(wait, lambda value, error: None)
    started.wait(10)
    return go_on


async def test_many_jobs_share_few_commits_and_each_gets_its_own_value(writer: Writer, path: Path) -> None:
    go_on = held(writer)
    jobs = [asyncio.create_task(writer.do(setting(f"n{i}"))) for i in range(300)]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*jobs) == [f"n{i}" for i in range(300)]
    assert writer.statistics.jobs == 301
    assert writer.statistics.commits < 60
    assert len(names(path)) == 300


async def test_a_job_is_answered_only_once_others_can_read_it(writer: Writer, path: Path) -> None:
    for i in range(5):
        await writer.do(setting(f"n{i}"))
        assert f"n{i}" in names(path)


async def test_a_job_that_fails_keeps_nothing_and_harms_no_neighbour(writer: Writer, path: Path) -> None:
    def failing(error: Exception) -> Callable[[Hands], None]:
        def run(hands: Hands) -> None:
            setting("half")(hands)
            raise error

        return run

    def breaking(hands: Hands) -> None:
        setting("half")(hands)
        hands.raw.execute("INSERT INTO fact (name, value) VALUES (NULL, NULL)")

    go_on = held(writer)
    jobs: list[Any] = []
    for i in range(9):
        jobs.append(asyncio.create_task(writer.do(setting(f"n{i}"))))
        wrong = [failing(Conflict("no")), failing(KeyError("no")), breaking][i % 3]
        jobs.append(asyncio.create_task(writer.do(wrong)))
    await asyncio.sleep(0)
    go_on.set()
    said = await asyncio.gather(*jobs, return_exceptions=True)
    assert said[::2] == [f"n{i}" for i in range(9)]
    assert [type(error) for error in said[1::2]] == [Conflict, KeyError, sqlite3.IntegrityError] * 3
    assert names(path) == {f"n{i}" for i in range(9)}


async def test_jobs_run_in_the_order_they_came(writer: Writer) -> None:
    seen: list[int] = []
    await asyncio.gather(*(writer.do(lambda _, n=i: seen.append(n)) for i in range(50)))
    assert seen == list(range(50))


async def test_who_goes_before_the_answer_disturbs_nobody(writer: Writer, path: Path) -> None:
    go_on = held(writer)
    gone = asyncio.create_task(writer.do(setting("gone")))
    stays = asyncio.create_task(writer.do(setting("stays")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await stays == "stays"
    assert names(path) == {"gone", "stays"}


async def test_a_close_finishes_what_was_accepted_and_refuses_the_rest(path: Path) -> None:
    writer = Writer(path)
    go_on = held(writer)
    jobs = [asyncio.create_task(writer.do(setting(f"n{i}"))) for i in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(writer.close))
    go_on.set()
    await asyncio.gather(*jobs)
    await closing
    writer.close()
    assert len(names(path)) == 20
    with pytest.raises(Unavailable) as refused:
        await writer.do(setting("late"))
    assert refused.value.code == "closing"


async def test_a_log_is_folded_into_the_file_at_the_end(path: Path) -> None:
    writer = Writer(path)
    await writer.do(setting("n"))
    await asyncio.to_thread(writer.close)
    wal = path.with_name(path.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0


async def test_under_continuous_writing_the_log_stays_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pagerd.adapters.sql.sqlite import writer as module

    monkeypatch.setattr(module, "_LONG_LOG", 1 << 20)
    writer = Writer(path)
    wal, longest, written = path.with_name(path.name + "-wal"), 0, 0
    reading = sqlite3.connect(path)
    for i in range(1200):
        await writer.do(setting(f"n{i % 50}", bytes(24_000)))
        written += 24_000
        longest = max(longest, wal.stat().st_size)
        if i % 10 == 0:
            reading.execute("SELECT count(*) FROM fact").fetchone()
    reading.close()
    await asyncio.to_thread(writer.close)
    assert written > 28_000_000
    assert longest < 16_000_000


# -- a full disk ----------------------------------------------------------------------------------------------------


def ceiling(writer: Writer, pages: int) -> Any:
    """Let the file grow to so many pages more than it has, or without limit."""

    def run(hands: Hands) -> None:
        now = hands.raw.execute("PRAGMA page_count").fetchone()[0]
        hands.raw.execute(f"PRAGMA max_page_count = {now + pages if pages else 1 << 30}")

    return writer.do(run)


async def fill(writer: Writer, size: int = 100_000, safe: bool = False) -> int:
    """Write until the store is full; return how many were kept."""
    for i in range(10_000):
        try:
            await writer.do(setting(f"fill{i}", bytes(size)), safe=safe)
        except Unavailable as full:
            assert full.code == "disk_full"
            return i
    raise AssertionError("it never was full")


@pytest.mark.parametrize("safe", [False, True])
async def test_a_full_store_says_so_keeps_nothing_half_and_goes_on_when_there_is_room(
    writer: Writer, path: Path, safe: bool
) -> None:
    await ceiling(writer, 100)
    kept = await fill(writer, safe=safe)
    assert kept > 2
    assert len(names(path)) == kept

    def two(hands: Hands) -> None:
        setting("half")(hands)
        setting("big", bytes(3_000_000))(hands)

    with pytest.raises(Unavailable) as full:
        await writer.do(two, safe=safe)
    assert full.value.code == "disk_full"
    assert "half" not in names(path)
    await writer.do(setting("fill0", b"small"))
    await ceiling(writer, 0)
    await writer.do(two, safe=safe)
    assert {"half", "big"} <= names(path)


async def test_neighbours_of_the_job_that_found_the_store_full_are_kept_or_told(writer: Writer, path: Path) -> None:
    await ceiling(writer, 20)
    go_on = held(writer)
    sizes = [10, 10, 5_000_000, 10, 10]
    jobs = [asyncio.create_task(writer.do(setting(f"n{i}", bytes(n)))) for i, n in enumerate(sizes)]
    await asyncio.sleep(0)
    go_on.set()
    said = await asyncio.gather(*jobs, return_exceptions=True)
    there = names(path)
    for i, answer in enumerate(said):
        assert (answer == f"n{i}") == (f"n{i}" in there), "what was answered is what is there"
        assert answer == f"n{i}" or isinstance(answer, PagerError)
    assert isinstance(said[2], Unavailable)
    assert await writer.do(setting("after")) == "after"


async def test_a_really_full_disk_is_survived(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log can't grow, the file can't be folded into: the writer lives, and goes on when there is room."""
    from pagerd.adapters.sql.sqlite import writer as module
    from pagerd.adapters.sql.sqlite.store import migrated

    monkeypatch.setattr(module, "_LONG_LOG", 1 << 16)
    path = full_disk / "pagerd.db"
    migrated(path)
    writer = Writer(path)
    ballast = full_disk / "ballast"
    ballast.write_bytes(bytes(4 << 20))
    kept = await fill(writer, 20_000)
    for i in range(200):  # commits of what fits, with folds in between that can't come through
        try:
            await writer.do(setting("small", b"%d" % i))
        except Unavailable as full:
            assert full.code in ("disk_full", "disk_error")
    assert {f"fill{i}" for i in range(kept)} <= names(path)
    ballast.unlink()
    for i in range(200):
        await writer.do(setting("small", b"%d" % i))
    await writer.do(setting("after", bytes(100_000)))
    await asyncio.to_thread(writer.close)
    assert {"after", "small", *(f"fill{i}" for i in range(kept))} <= names(path)


async def test_a_log_that_fills_the_disk_itself_is_folded_back(full_disk: Path) -> None:
    from pagerd.adapters.sql.sqlite.store import migrated

    path = full_disk / "pagerd.db"
    migrated(path)
    writer = Writer(path)
    await writer.do(setting("row", bytes(36_000)))
    await asyncio.to_thread(writer.close)
    writer, failed = Writer(path), 0
    for i in range(600):  # the same row again and again: the file stays small, the log does not
        try:
            await writer.do(setting("row", b"%09d" % i * 4_000))
        except Unavailable:
            failed += 1
    await writer.do(setting("row", b"last"))
    await asyncio.to_thread(writer.close)
    assert 0 < failed < 10


async def test_another_process_that_holds_the_file_is_waited_for_and_then_named(writer: Writer, path: Path) -> None:
    await writer.do(lambda hands: hands.raw.execute("PRAGMA busy_timeout = 20"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as busy:
        await writer.do(setting("n"))
    assert busy.value.code == "store_busy"
    other.execute("ROLLBACK")
    other.close()
    assert await writer.do(setting("n")) == "n"
