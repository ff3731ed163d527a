"""The rigs that the suites of store and ledger run over: an adapter joins with one line in ``RIGS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from tests.databases import Databases
from tools.servers.postgres import PostgresServer

from pagerd.adapters.memory.ledger import LEASE, MemoryLedger
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import HandClock
from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority
from pagerd.core.states import SessionState
from pagerd.ports.ledger import Ledger
from pagerd.ports.store import SessionRow, Store


class Rig(Protocol):
    """A fresh store with ledgers over it."""

    store: Store
    clock: HandClock

    def ledger(self, worker: bytes) -> Ledger:
        """Return the ledger as the process of that worker sees it; the same for the same worker."""
        ...

    def outlive(self) -> None:
        """Let every claim that was made until now run over, as far as time is what ends it."""
        ...


Maker = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Rig]]


class MemoryRig:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = HandClock()
        self._ledgers: dict[bytes, Ledger] = {}

    def ledger(self, worker: bytes) -> Ledger:
        return self._ledgers.setdefault(worker, MemoryLedger(self.store, self.clock))

    def outlive(self) -> None:
        self.clock.advance(LEASE + 0.1)


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    rig = MemoryRig()
    yield rig
    await rig.store.aclose()


class SqliteRig:
    """One database file; every ledger over it stands for a process of its own."""

    def __init__(self, folder: Path) -> None:
        from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated

        path = folder / "pagerd.db"
        migrated(path)
        self.store = SqliteStore(path)
        self.clock = HandClock()
        self.ledgers: dict[bytes, Any] = {}

    def ledger(self, worker: bytes) -> Ledger:
        from pagerd.adapters.sql.sqlite.ledger import SqliteLedger

        if worker not in self.ledgers:
            self.ledgers[worker] = SqliteLedger(self.store, self.clock, worker)
        made: Ledger = self.ledgers[worker]
        return made

    def outlive(self) -> None:
        self.clock.advance(LEASE + 0.1)


@asynccontextmanager
async def sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    rig = SqliteRig(request.getfixturevalue("tmp_path"))
    yield rig
    for ledger in rig.ledgers.values():
        await ledger.aclose()
    await rig.store.aclose()


class PostgresRig:
    """One database; every ledger over it stands for a process of its own."""

    def __init__(self, url: str, admin_url: str) -> None:
        from pagerd.adapters.sql.postgres.store import PostgresStore

        self.store = PostgresStore(url)
        self.clock = HandClock()
        self.ledgers: dict[bytes, Any] = {}
        self._admin_url = admin_url

    def ledger(self, worker: bytes) -> Ledger:
        from pagerd.adapters.sql.postgres.ledger import PostgresLedger

        if worker not in self.ledgers:
            self.ledgers[worker] = PostgresLedger(self.store, self.clock, worker)
        made: Ledger = self.ledgers[worker]
        return made

    def outlive(self) -> None:
        import psycopg

        with psycopg.connect(self._admin_url) as admin:  # leases are on the database's clock, which nobody can move
            admin.execute("UPDATE batch SET lease_until = lease_until - %s", (LEASE + 0.1,))
        self.clock.advance(LEASE + 0.1)


def postgres(scheme: str) -> Maker:
    @asynccontextmanager
    async def make(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
        databases: Databases = request.getfixturevalue("postgres_databases")
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = databases.take()
        rig = PostgresRig(server.url_of(name).replace("postgresql", scheme, 1), server.url_of(name, "postgres"))
        yield rig
        for ledger in rig.ledgers.values():
            await ledger.aclose()
        await rig.store.aclose()
        databases.give_back(name)

    return make


RIGS: dict[str, Maker] = {
    "memory": memory,
    "sqlite": sqlite,
    "postgres": postgres("postgresql"),
    "postgres+psycopg": postgres("postgresql+psycopg"),
}


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param](request) as made:
        yield made


@pytest.fixture
def store(rig: Rig) -> Store:
    return rig.store


@pytest.fixture
def session_row() -> Callable[..., SessionRow]:
    """Rows of sessions, each with an identifier that sorts after the one before."""
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
