"""A worker that runs by itself, and a ledger between it and the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from pagerd.core.errors import Unavailable
from pagerd.ports.ledger import Said, Write
from pagerd.worker import lane
from pagerd.worker.worker import Worker


class Between:
    """A ledger between a worker and the real one: may fail, and remembers what was asked."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.fail = 0
        self.failed = 0
        self.writes: list[Write] = []
        self.claims = 0
        self.broken: list[BaseException] = []
        self.errors: list[BaseException] = []
        self.lease: float | None = None

    async def claim(self, worker: bytes, wants: Any) -> Any:
        self.claims += 1
        if self.broken:
            raise self.broken.pop()
        return await self.inner.claim(worker, wants)

    async def next_due(self) -> float | None:
        if self.broken:
            raise self.broken.pop()
        due: float | None = await self.inner.next_due()
        return due

    async def flush(self, writes: Sequence[Write]) -> list[Said]:
        if self.errors:
            raise self.errors.pop()
        if self.fail:
            self.fail -= 1
            self.failed += 1
            raise Unavailable("the disk is full", code="disk_full")
        self.writes += writes
        said: list[Said] = await self.inner.flush(writes)
        return said

    def lease_end(self) -> float:
        return float(self.inner.lease_end() if self.lease is None else self.lease)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture
def between(both: Any) -> Between:
    return Between(both.ledger())


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that can't be written is asked again after a breath, not after half a second."""
    monkeypatch.setattr(lane, "_UNWRITABLE_WAIT", 0.0)
    monkeypatch.setattr(lane, "_GIVE_BACK_WAIT", 0.0)


Running = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def running(both: Any, between: Between) -> AsyncIterator[Running]:
    """Start a worker over the river; it is stopped at the end."""
    workers: list[Worker] = []

    async def start(lanes: int = 4, reserve: int = 0, **fields: Any) -> Worker:
        worker = Worker(both.tools(between, **fields), b"worker-a", lanes=lanes, reserve=reserve)
        workers.append(worker)
        await worker.start()
        return worker

    yield start
    both.provider.gate.set()
    for worker in workers:
        await asyncio.wait_for(worker.stop(5), 10)
