"""Migrations and tables say the same, and the newest migration is the one that the program knows."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from tests.databases import Databases
from tools.servers.postgres import PostgresServer

import pagerd.adapters.sql
from pagerd.adapters.sql.migrate import HEAD
from pagerd.adapters.sql.sqlite.connections import connect, core_over
from pagerd.adapters.sql.sqlite.store import migrated
from pagerd.adapters.sql.tables import METADATA

VERSIONS = Path(pagerd.adapters.sql.__file__).parent / "migrations" / "versions"


def test_the_newest_file_is_what_the_program_knows() -> None:
    names = sorted(path.name for path in VERSIONS.glob("*.py") if path.name != "__init__.py")
    assert names[-1].startswith(f"{HEAD}_")
    for name in names:
        text = (VERSIONS / name).read_text("utf-8")
        assert re.search(rf'^revision(: \w+)? = "{name.partition("_")[0]}"', text, re.MULTILINE), name


def test_a_migrated_database_is_what_the_tables_say(tmp_path: Path) -> None:
    path = tmp_path / "pagerd.db"
    assert migrated(path) is True
    assert migrated(path) is False
    raw = connect(path)
    core = core_over(raw)
    try:
        differences = compare_metadata(MigrationContext.configure(core), METADATA)
    finally:
        core.close()
        raw.close()
    assert differences == []


def test_the_comparison_notices_a_column_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "pagerd.db"
    migrated(path)
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE session DROP COLUMN pause_reason")
    raw.close()
    raw = connect(path)
    core = core_over(raw)
    try:
        assert compare_metadata(MigrationContext.configure(core), METADATA) != []
    finally:
        core.close()
        raw.close()


def test_a_migrated_postgres_is_what_the_tables_say(
    postgres_server: PostgresServer, postgres_databases: Databases
) -> None:
    name = postgres_databases.take()
    engine = create_engine(postgres_server.url_of(name).replace("postgresql", "postgresql+psycopg", 1))
    with engine.connect() as core:
        context = MigrationContext.configure(core, opts={"include_object": _is_ours})
        assert compare_metadata(context, METADATA) == []
        core.exec_driver_sql("ALTER TABLE session DROP COLUMN pause_reason")
        assert compare_metadata(context, METADATA) != []
        core.rollback()
    engine.dispose()
    postgres_databases.give_back(name)


def _is_ours(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    return kind != "table" or not (name or "").startswith("attempt_")  # partitions, which come and go
