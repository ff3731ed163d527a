"""Row-level security: the database itself keeps workspaces apart, also from the owner of the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pagerd.core.balance import Counts
from pagerd.core.errors import Misconfigured
from pagerd.core.states import RecipientState
from pagerd.ports.store import ExceptionRow, SessionRow, Work

from .hands import claimed, worked

SHARED = {"alembic_version", "fact", "reason_code", "quarantine"}
"""What belongs to the installation, and to no workspace."""
FILLED = (
    "session",
    "session_count",
    "session_reason",
    "batch",
    "batch_payload",
    "attempt",
    "exception",
    "address_small",
)


@pytest.fixture
async def filled(process: Callable[..., Any], start: Callable[..., Any]) -> int:
    mine = process(workspace=1)
    number: int = await start(mine.store)

    def more(work: Work) -> None:
        work.addresses.add_small(1, number, [(b"12345678", 1, 0)])
        work.sessions.count_reason(number, RecipientState.FAILED, 1, 1)
        work.batches.except_(number, [ExceptionRow(no=1, idx=0, state=RecipientState.FAILED, reason=1, round=1)], [])

    await mine.store.work(more)
    (claim,) = await claimed(mine)
    await worked(mine.ledger, claim)
    return number


def test_every_table_is_bound_or_belongs_to_nobody(admin: psycopg.Connection) -> None:
    rows = admin.execute(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    assert {name for name, bound in rows if not bound} == SHARED


@pytest.mark.parametrize("setting", [None, "", "2", "1 OR true"])
async def test_who_names_no_workspace_or_another_sees_nothing(url: str, filled: int, setting: str | None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if setting is not None:
            connection.execute("SELECT set_config('pagerd.workspace', %s, false)", (setting,))
        seen = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in FILLED}
    assert set(seen.values()) == {(0,)}


@pytest.mark.parametrize("setting", ["1", "*"])
async def test_the_workspace_itself_and_the_hot_path_see_everything(url: str, filled: int, setting: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('pagerd.workspace', %s, false)", (setting,))
        seen = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in FILLED}
    assert (0,) not in seen.values()


async def test_a_store_of_another_workspace_neither_sees_nor_writes(
    process: Callable[..., Any], filled: int, session_row: Callable[..., SessionRow]
) -> None:
    other = process(workspace=2)
    assert await other.store.read(lambda w: w.sessions.by_number(filled)) is None
    assert await other.store.read(lambda w: w.sessions.counts(filled)) == Counts()
    assert await other.store.read(lambda w: w.parts.payload(filled, 1)) is None
    with pytest.raises(Misconfigured, match="right is missing"):
        await other.store.work(lambda w: w.sessions.add(session_row(workspace=1), Counts()))
    number = await other.store.work(lambda w: w.sessions.add(session_row(workspace=2), Counts()))
    assert await process(workspace=1).store.read(lambda w: w.sessions.by_number(number)) is None


async def test_a_setting_does_not_outlive_its_transaction(process: Callable[..., Any], filled: int) -> None:
    mine = process(workspace=1)
    await mine.store.read(lambda w: w.sessions.by_number(filled))
    assert await mine.store.lines.run(lambda line: line.fetch("SELECT current_setting('pagerd.workspace')"))
    line = await process().store.lines.run(_escaped)
    assert line == [0]


async def _escaped(line: Any) -> list[int]:
    """Leave the transaction, and look without it."""
    await line.script("ROLLBACK")
    rows = await line.fetch("SELECT count(*) FROM session")
    return [row[0] for row in rows]
