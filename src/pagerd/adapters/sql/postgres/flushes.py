"""Lanes' writes on their way to the database: while one transaction is under way, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pagerd.ports.ledger import Said, Write

_Waiting = tuple[Sequence[Write], asyncio.Future[list[Said]]]


class Flushes:
    """Puts the writes of many lanes into one transaction; there is one under way at a time."""

    def __init__(self, commit: Callable[[Sequence[Write]], Awaitable[list[Said]]]) -> None:
        """``commit`` writes all and returns what became of each, once it is durable."""
        self._commit = commit
        self._gathered: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def add(self, writes: Sequence[Write]) -> list[Said]:
        """Return what became of ``writes``, in order, once they are durable."""
        if not writes:
            return []
        future: asyncio.Future[list[Said]] = asyncio.get_running_loop().create_future()
        self._gathered.append((writes, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._gathered:
            await self._quiet()
            group, self._gathered = self._gathered, []
            try:
                said = await self._commit([write for writes, _ in group for write in writes])
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
                _fail(group, error)
            else:
                _tell(group, said)
        self._running = None

    async def _quiet(self) -> None:
        """Let lanes that are ready now bring their writes, too: as long as each round of the loop brings more."""
        seen = 0
        while len(self._gathered) > seen:
            seen = len(self._gathered)
            await asyncio.sleep(0)


def _tell(group: list[_Waiting], said: list[Said]) -> None:
    at = 0
    for writes, future in group:
        if not future.done():
            future.set_result(said[at : at + len(writes)])
        at += len(writes)


def _fail(group: list[_Waiting], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
