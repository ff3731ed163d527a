"""The control plane in memory: transactions that can be undone, over rows that are kept as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import TypeVar

from pagerd.adapters.memory.batches import MemoryBatches
from pagerd.adapters.memory.lookups import MemoryAddressIndex, MemoryIdempotency
from pagerd.adapters.memory.parts import MemoryParts
from pagerd.adapters.memory.records import (
    MemoryApiKeys,
    MemoryFacts,
    MemoryProviders,
    MemoryQuarantine,
    MemoryReasons,
    MemoryTemplates,
)
from pagerd.adapters.memory.sessions import MemorySessions
from pagerd.adapters.memory.tables import Journal
from pagerd.core.errors import Unavailable
from pagerd.ports import store

T = TypeVar("T")


class Tables:
    """Everything that is kept, with what the ledger needs beyond the control plane."""

    def __init__(self, journal: Journal) -> None:
        self.sessions = MemorySessions(journal)
        self.parts = MemoryParts(journal)
        self.batches = MemoryBatches(journal, self.sessions.next_no)
        self.reasons = MemoryReasons(journal)
        self.templates = MemoryTemplates(journal)
        self.api_keys = MemoryApiKeys(journal)
        self.providers = MemoryProviders(journal)
        self.idempotency = MemoryIdempotency(journal)
        self.addresses = MemoryAddressIndex(journal)
        self.facts = MemoryFacts(journal)
        self.quarantine = MemoryQuarantine(journal)


class MemoryWork:
    """Implements ``ports.store.Work``: the same tables as everybody but the ledger sees them."""

    def __init__(self, tables: Tables) -> None:
        self.sessions: store.Sessions = tables.sessions
        self.parts: store.Parts = tables.parts
        self.batches: store.Batches = tables.batches
        self.reasons: store.Reasons = tables.reasons
        self.templates: store.Templates = tables.templates
        self.api_keys: store.ApiKeys = tables.api_keys
        self.providers: store.Providers = tables.providers
        self.idempotency: store.Idempotency = tables.idempotency
        self.addresses: store.AddressIndex = tables.addresses
        self.facts: store.Facts = tables.facts
        self.quarantine: store.Quarantine = tables.quarantine


class MemoryStore:
    """Implements ``ports.store.Store``. ``free`` is what :meth:`spare` says, for a test to fill the disk with."""

    def __init__(self) -> None:
        self._journal = Journal()
        self.tables = Tables(self._journal)
        self._work = MemoryWork(self.tables)
        self._closed = False
        self._waiting: set[asyncio.Future[None]] = set()
        self.free = 1 << 40

    @property
    def version(self) -> int:
        """How many transactions have written something so far."""
        return self._journal.version

    async def work(self, change: Callable[[store.Work], T]) -> T:
        """Run ``change`` in one transaction and return its value; its exception undoes it all."""
        return await self.transaction(lambda: change(self._work))

    async def read(self, look: Callable[[store.Work], T]) -> T:
        """Run ``look``, which must not write."""
        await self.ping()
        return _value(look(self._work))

    async def transaction(self, run: Callable[[], T]) -> T:
        """Run ``run``, which may write to :attr:`tables`, in one transaction and return its value."""
        await self.ping()
        before = self.version
        value = self._journal.change(lambda: _value(run()))
        if self.version != before:
            self._wake()
        return value

    def spare(self) -> int:
        """Return how many bytes may still be written."""
        return self.free

    async def ping(self) -> None:
        """Return when the store answers, after everybody else had a turn."""
        await asyncio.sleep(0)
        if self._closed:
            raise Unavailable("the store is closed", code="closing")

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        self._closed = True

    async def changed_since(self, version: int) -> None:
        """Return once a transaction newer than ``version`` has written something."""
        if self.version == version:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


def _value(value: T) -> T:
    """Return ``value``; refuse a coroutine: a transaction can't wait for anything."""
    if isawaitable(value):
        raise TypeError("a change is a plain function, not a coroutine")
    return value
