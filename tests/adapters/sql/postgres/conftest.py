"""A database of PostgreSQL, and processes that work on it: each has a store and a ledger of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any

import msgspec
import psycopg
import pytest
from tests.databases import Databases
from tools.servers.postgres import PostgresServer

from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.sql.postgres.ledger import PostgresLedger
from pagerd.adapters.sql.postgres.store import PostgresStore
from pagerd.core.balance import Counts
from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority
from pagerd.core.states import SessionState
from pagerd.ports.store import Payload, SessionRow, Work


class Process:
    """What one process has: its own connections, its own ledger."""

    def __init__(self, url: str, worker: bytes, clock: HandClock, **options: Any) -> None:
        self.store = PostgresStore(url, **options)
        self.worker = worker
        self.ledger = PostgresLedger(self.store, clock, worker)

    async def aclose(self) -> None:
        await self.ledger.aclose()
        await self.store.aclose()


@pytest.fixture
def database(postgres_databases: Databases) -> Iterator[str]:
    name = postgres_databases.take()
    yield name
    postgres_databases.give_back(name)


@pytest.fixture
def url(postgres_server: PostgresServer, database: str) -> str:
    return postgres_server.url_of(database)


@pytest.fixture
def admin(postgres_server: PostgresServer, database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection, whom no policy binds."""
    with psycopg.connect(postgres_server.url_of(database, "postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def process(url: str, clock: HandClock) -> AsyncIterator[Callable[..., Process]]:
    """``process()`` is one more process on the database; by another ``url`` if that is said."""
    made: list[Process] = []

    def make(**options: Any) -> Process:
        at = options.pop("url", url)
        made.append(Process(at, b"process %d" % len(made), clock, **options))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


@pytest.fixture
def session_row() -> Callable[..., SessionRow]:
    ids = count(1)

    def make(**fields: Any) -> SessionRow:
        row = SessionRow(
            id=next(ids).to_bytes(16, "big"),
            workspace=1,
            state=SessionState.RUNNING,
            template="welcome",
            version=3,
            channel=Channel.EMAIL,
            batch_size=5,
            priority=Priority.BULK,
            on_doubt=OnDoubt.RESEND,
            on_invalid=OnInvalid.FAIL,
            key_id=b"k" * 16,
            spec=b"\0sealed\xff",
            owner=b"o" * 16,
            created_at=1_800_000_000.25,
        )
        return msgspec.structs.replace(row, **fields)

    return make


@pytest.fixture
def start(session_row: Callable[..., SessionRow]) -> Callable[..., Any]:
    """Make a session of ``batches`` batches of two people; return its number."""

    async def make(store: PostgresStore, batches: int = 1, **fields: Any) -> int:
        row = session_row(stop_no=batches, last_no=batches, total=batches * 2, **fields)

        def admit(work: Work) -> int:
            number = work.sessions.add(row, Counts(pending=batches * 2, batches_ready=batches))
            work.parts.add_payloads(number, [Payload(block=0, seq=no, n=2, blob=b"x") for no in range(1, batches + 1)])
            return number

        return await store.work(admit)

    return make
