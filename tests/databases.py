"""Databases of PostgreSQL for tests: each a copy of one that was migrated once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from tools.servers.postgres import PostgresServer

from pagerd.adapters.sql.postgres.shape import migrated

_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND NOT relispartition AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', name);
    END LOOP;
END $$
"""


class Databases:
    """Makes databases on one server; all of them are gone in the end."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._template = f"template_{secrets.token_hex(6)}"
        self._made: list[str] = []
        self._empty: list[str] = []

    @contextmanager
    def ready(self) -> Iterator[Databases]:
        with self._admin() as admin:
            admin.execute(f"CREATE DATABASE {self._template} OWNER pagerd")
        try:
            # On a thread: a loop may be running here already.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(migrated(self._server.url_of(self._template)))).result()
            yield self
        finally:
            with self._admin() as admin:
                for name in (*self._made, self._template):
                    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def take(self) -> str:
        """Return the name of a database, migrated and empty."""
        if self._empty:
            return self._empty.pop()
        name = f"test_{secrets.token_hex(6)}"
        with self._admin() as admin:
            admin.execute(f"CREATE DATABASE {name} OWNER pagerd TEMPLATE {self._template}")
        self._made.append(name)
        return name

    def give_back(self, name: str) -> None:
        """Empty a database, for the next test: quicker than to drop it and make another."""
        with psycopg.connect(self._server.url_of(name, "postgres"), autocommit=True) as admin:
            admin.execute(_EMPTY)
        self._empty.append(name)

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self._server.admin_url, autocommit=True)
