"""Migrations: one process at a time, while others write, and never a long lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pagerd.adapters.sql import migrate
from pagerd.adapters.sql.postgres import shape
from pagerd.adapters.sql.postgres.shape import migrated
from pagerd.core.errors import Misconfigured

NEXT = '''
"""A column and an index more."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("fact", sa.Column("colour", sa.Text()))
    with op.get_context().autocommit_block():
        op.create_index("fact_colour", "fact", ["colour"], postgresql_concurrently=True, if_not_exists=True)
'''


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration more than there is."""
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "9999_next.py").write_text(NEXT.format(head=migrate.HEAD), "utf-8")
    monkeypatch.setattr(migrate, "HEAD", "9999")
    monkeypatch.setattr(migrate, "MORE", (folder,))


async def test_processes_that_start_at_once_migrate_once(postgres_url: str) -> None:
    assert sorted(await asyncio.gather(*(migrated(postgres_url) for _ in range(4)))) == [False, False, False, True]


async def test_writers_go_on_while_a_migration_runs(
    postgres_url: str, process: Callable[..., Any], next_release: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as before:
        before.setattr(migrate, "HEAD", "0003")
        before.setattr(migrate, "MORE", ())
        await migrated(postgres_url)
    stop = asyncio.Event()
    longest = 0.0
    written = 0

    async def write(one: Any) -> None:
        nonlocal longest, written
        while not stop.is_set():
            began = time.monotonic()
            await one.store.work(lambda w: w.facts.set(repr(one.worker), b"x"))
            longest = max(longest, time.monotonic() - began)
            written += 1

    writers = [asyncio.create_task(write(process(url=postgres_url))) for _ in range(3)]
    with psycopg.connect(postgres_url) as slow:
        slow.execute("SELECT count(*) FROM fact")  # a reader who takes their time: the migration can't have its lock
        migration = asyncio.create_task(migrated(postgres_url))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(migration), 3.0)
        so_far = written
        assert so_far > 10, "nobody stands behind the migration for long"
    assert await asyncio.wait_for(migration, 60) is True
    stop.set()
    await asyncio.gather(*writers)
    assert longest < 2.5
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT colour FROM fact").fetchall()
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'fact_colour'::regclass"
        assert connection.execute(valid).fetchone() == (True,)


async def test_a_database_of_a_newer_release_is_not_touched(postgres_url: str) -> None:
    await migrated(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
    with pytest.raises(Misconfigured, match="newer version of Pager") as caught:
        await migrated(postgres_url)
    assert caught.value.code == "database_newer"


async def test_a_server_that_is_too_old_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "OLDEST", 990_000)
    with pytest.raises(Misconfigured, match="needs 99 or newer") as caught:
        await migrated(postgres_url)
    assert caught.value.code == "store_too_old"
    assert caught.value.remedy
