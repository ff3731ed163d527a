"""The restore guard: a copy of a database is not the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tools.servers.postgres import PostgresServer

from pagerd.adapters.sql.postgres.epoch import PostgresEpoch
from pagerd.ports.store import Store


async def test_a_database_that_goes_on_is_not_restored(process: Callable[..., Any]) -> None:
    one, two = process(), process()
    assert await PostgresEpoch().begin(one.store) is False
    assert await PostgresEpoch().begin(one.store) is False
    assert await PostgresEpoch().begin(two.store) is False


async def test_a_copy_is_paused_before_it_is_home(
    process: Callable[..., Any], postgres_server: PostgresServer, database: str
) -> None:
    one = process()
    await PostgresEpoch().begin(one.store)
    await one.aclose()
    copy = f"{database}_copy"
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {copy} OWNER pagerd TEMPLATE {database}")
    try:
        two = process(url=postgres_server.url_of(copy))
        paused: list[Store] = []

        async def pause(store: Store) -> None:
            paused.append(store)
            if len(paused) == 1:
                raise KeyError("a crash while it pauses")

        with pytest.raises(KeyError):
            await PostgresEpoch().begin(two.store, pause)
        assert await PostgresEpoch().begin(two.store, pause) is True
        assert await PostgresEpoch().begin(two.store, pause) is False
        assert len(paused) == 2
        await two.aclose()
    finally:
        with psycopg.connect(postgres_server.admin_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {copy} WITH (FORCE)")
