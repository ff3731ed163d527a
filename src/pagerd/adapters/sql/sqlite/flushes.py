"""Lanes' writes on their way to the writer: while one group commits, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pagerd.adapters.sql.sqlite.writer import Writer
from pagerd.adapters.sql.sqlite.writes import write_all
from pagerd.ports.ledger import Said, Write
from pagerd.ports.time import Clock

_CROWD: Final = 3
"""So many writes in the last group, and lanes are busy."""
_ENOUGH: Final = 32
"""So many have gathered, and nobody waits for more."""
_BREATH: Final = 0.003
"""Seconds that a smaller group of busy lanes waits once; docs/decisions/0013 says why."""

_Waiting = tuple[Sequence[Write], asyncio.Future[list[Said]]]


class Flushes:
    """Puts the writes of many lanes into one job, so that crossing to the writer's thread costs once for all."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._gathered: list[_Waiting] = []
        self._crowd = 0
        self._running: asyncio.Task[None] | None = None

    async def add(self, writes: Sequence[Write]) -> list[Said]:
        """Return what became of ``writes``, in order, once they are durable."""
        future: asyncio.Future[list[Said]] = asyncio.get_running_loop().create_future()
        self._gathered.append((writes, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._gathered:
            await self._quiet()
            group, self._gathered = self._gathered, []
            await self._commit(group)
        self._running = None

    async def _quiet(self) -> None:
        """Let lanes that are ready now bring their writes, too: as long as each round of the loop brings more.

        A lone write goes on after one round. In a crowd (the last group had many) a breath more makes the groups
        larger: a commit costs as much as sending to several people.
        """
        seen = 0
        while len(self._gathered) > seen:
            seen = len(self._gathered)
            await asyncio.sleep(0)
        if self._crowd >= _CROWD and seen < _ENOUGH:
            await asyncio.sleep(_BREATH)
        self._crowd = len(self._gathered)

    async def _commit(self, group: list[_Waiting]) -> None:
        every = [write for writes, _ in group for write in writes]
        now = self._clock.now()
        try:
            said = await self._writer.do(lambda hands: write_all(hands.raw, every, now), safe=True)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            _fail(group, error)
            return
        at = 0
        for writes, future in group:
            if not future.done():
                future.set_result(said[at : at + len(writes)])
            at += len(writes)


def _fail(group: list[_Waiting], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
