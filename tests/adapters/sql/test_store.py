"""What is special to the store on SQLite: snapshots, migrations, a closed store, and its ledger's lease."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from pathlib import Path

import pytest

from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.sql.failures import translated
from pagerd.adapters.sql.sqlite.ledger import LeaseTimes, SqliteLedger
from pagerd.adapters.sql.sqlite.statements import HOT
from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated
from pagerd.adapters.sql.turns import shares
from pagerd.core.errors import Broken, Misconfigured, Unavailable


async def test_a_look_sees_one_snapshot_and_waits_for_no_writer(store: SqliteStore) -> None:
    await store.work(lambda w: w.facts.set("a", b"1"))
    inside, go_on = threading.Event(), threading.Event()

    def look(work: object) -> list[bytes | None]:
        seen = [work.facts.get("a")]  # type: ignore[attr-defined]
        inside.set()
        go_on.wait(10)
        return [*seen, work.facts.get("a")]  # type: ignore[attr-defined]

    looking = asyncio.create_task(store.read(look))
    await asyncio.to_thread(inside.wait, 10)
    await store.work(lambda w: w.facts.set("a", b"2"))
    go_on.set()
    assert await looking == [b"1", b"1"]
    assert await store.read(lambda w: w.facts.get("a")) == b"2"


async def test_a_look_must_not_write(store: SqliteStore) -> None:
    with pytest.raises(Unavailable, match="written"):
        await store.read(lambda w: w.facts.set("a", b"1"))
    assert await store.read(lambda w: w.facts.get("a")) is None


async def test_a_change_that_raises_keeps_nothing(store: SqliteStore) -> None:
    def change(work: object) -> None:
        work.facts.set("a", b"1")  # type: ignore[attr-defined]
        raise LookupError

    with pytest.raises(LookupError):
        await store.work(change)  # type: ignore[arg-type]
    assert await store.read(lambda w: w.facts.get("a")) is None


async def test_a_closed_store_says_that_it_is_closing(path: Path) -> None:
    store = SqliteStore(path)
    await store.aclose()
    await store.aclose()
    for asked in (store.work(lambda w: w.facts.set("a", b"1")), store.read(lambda w: w.facts.get("a")), store.ping()):
        with pytest.raises(Unavailable) as closing:
            await asked
        assert closing.value.code == "closing"


async def test_what_was_answered_is_there_after_the_process_is_gone(path: Path) -> None:
    store = SqliteStore(path)
    await store.work(lambda w: w.facts.set("a", b"1"))
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.execute("SELECT value FROM fact").fetchone() == (b"1",)
    raw.close()
    await store.aclose()


def test_a_newer_database_is_refused_and_not_touched(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured) as newer:
        migrated(path)
    assert newer.value.code == "database_newer"
    assert newer.value.remedy
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "pagerd.db"
    path.write_bytes(b"somebody's letters\n" * 1000)
    with pytest.raises(Misconfigured) as refused:
        migrated(path)
    assert refused.value.code == "store_not_openable"
    assert path.read_bytes() == b"somebody's letters\n" * 1000


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (sqlite3.SQLITE_FULL, Unavailable, "disk_full"),
        (sqlite3.SQLITE_IOERR | 3 << 8, Unavailable, "disk_error"),
        (sqlite3.SQLITE_BUSY | 2 << 8, Unavailable, "store_busy"),
        (sqlite3.SQLITE_CORRUPT, Broken, "store_corrupt"),
        (sqlite3.SQLITE_CONSTRAINT, sqlite3.OperationalError, None),
    ],
)
def test_the_driver_s_errors_are_translated_by_their_code(code: int, kind: type[Exception], word: str | None) -> None:
    error = sqlite3.OperationalError("words that may change")
    error.sqlite_errorcode = code
    found = translated(error)
    assert type(found) is kind
    assert getattr(found, "code", None) == word


async def test_a_busy_event_loop_does_not_let_the_lease_go(store: SqliteStore) -> None:
    clock = HandClock()
    ledger = SqliteLedger(store, clock, b"w" * 16, LeaseTimes(length=30.0, renew=0.005))
    try:
        clock.advance(1000)
        renewed = threading.Event()

        def watch() -> None:
            while ledger.lease_end() < clock.monotonic() + 29:
                if renewed.wait(0.001):
                    return
            renewed.set()

        threading.Thread(target=watch, daemon=True).start()
        assert renewed.wait(5)  # the loop does nothing at all meanwhile
    finally:
        renewed.set()
        await ledger.aclose()


async def test_a_store_that_can_t_be_written_lets_the_lease_end(store: SqliteStore) -> None:
    clock = HandClock()
    ledger = SqliteLedger(store, clock, b"w" * 16, LeaseTimes(length=30.0, renew=3600))
    end = ledger.lease_end()
    other = sqlite3.connect(store.path, isolation_level=None)
    await store.writer.do(lambda hands: hands.raw.execute("PRAGMA busy_timeout = 10"))
    other.execute("BEGIN IMMEDIATE")
    clock.advance(20)
    with pytest.raises(Unavailable):
        await ledger.renew(b"w" * 16)
    assert ledger.lease_end() == end
    other.execute("ROLLBACK")
    other.close()
    await ledger.renew(b"w" * 16)
    assert ledger.lease_end() == clock.monotonic() + 30
    await ledger.aclose()


WIDTHS = {"insert_fresh": 10, "write": 7, "attempt": 5}


def test_every_statement_of_the_hot_path_finds_its_rows_by_an_index(path: Path) -> None:
    raw = sqlite3.connect(path)
    try:
        for name, named in HOT.items():
            if ":changes" in named or ":columns" in named or name in ("next_due", "count_reason", "enter"):
                continue
            statement = named.replace(":rows", f"({', '.join('?' * WIDTHS.get(name, 0))})")
            numbered = [int(n) for n in re.findall(r"\?(\d)", statement)]
            holes = max(numbered) if numbered else statement.count("?")
            plan = raw.execute(f"EXPLAIN QUERY PLAN {statement}", [1] * holes).fetchall()
            scans = [
                row[3] for row in plan if row[3].startswith("SCAN") and not re.search("INDEX|subquery|ROW", row[3])
            ]
            assert not scans, (name, scans)
    finally:
        raw.close()


@pytest.mark.parametrize(
    ("sessions", "under_way", "n", "expected"),
    [
        ([(1, 1, 100, 1)], {}, 3, {1: 3}),
        ([(1, 1, 100, 1), (2, 1, 100, 1)], {}, 4, {1: 2, 2: 2}),
        ([(1, 1, 100, 1), (2, 1, 100, 1)], {1: 4}, 4, {2: 4}),
        ([(1, 1, 100, 1), (2, 1, 100, 1)], {1: 2}, 4, {1: 1, 2: 3}),
        ([(1, 1, 1, 1), (2, 5, 6, 1)], {}, 10, {1: 1, 2: 2}),
        ([], {}, 3, {}),
    ],
)
def test_the_next_batch_goes_to_the_session_with_the_fewest_under_way(
    sessions: list[tuple[int, int, int, int]], under_way: dict[int, int], n: int, expected: dict[int, int]
) -> None:
    given = {session: last - first + 1 for session, first, last, _ in shares(sessions, under_way, n)}
    assert given == expected
