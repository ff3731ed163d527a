"""The rigs that the suites of store and ledger run over: an adapter joins with one line in ``RIGS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

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
async def memory(folder: Path) -> AsyncIterator[Rig]:
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
async def sqlite(folder: Path) -> AsyncIterator[Rig]:
    rig = SqliteRig(folder)
    yield rig
    for ledger in rig.ledgers.values():
        await ledger.aclose()
    await rig.store.aclose()


RIGS: dict[str, Callable[[Path], AbstractAsyncContextManager[Rig]]] = {
    "memory": memory,
    "sqlite": sqlite,
}


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with RIGS[request.param](tmp_path) as made:
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
