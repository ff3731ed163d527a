"""The worker: takes over what a dead one left, works, and stops without leaving doubt."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from pagerd.core.errors import PagerError
from pagerd.worker.desk import Desk
from pagerd.worker.intake import Intake
from pagerd.worker.lane import Tools

_SWEEP_EVERY: Final = 5.0


class Worker:
    """Runs the desk and the sweeper in this process."""

    def __init__(self, tools: Tools, worker: bytes, *, lanes: int, reserve: int, intake: Intake | None = None) -> None:
        """``intake`` brings what a queue carries; without one, work is claimed from the ledger."""
        self._t = tools
        self._desk = Desk(tools, worker, lanes, reserve, intake)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Give back what dead workers held, then begin to claim."""
        while await self._t.ledger.sweep():
            pass
        self._tasks = [asyncio.create_task(self._desk.run()), asyncio.create_task(self._sweep())]

    async def stop(self, drain: float) -> None:
        """Claim nothing more, write no further last byte, wait up to ``drain`` seconds for answers; then let go.

        What is released is not a loss; what is still unanswered stays claimed and is in doubt at the next start.
        """
        self._t.stopping.set()
        self._desk.wake()
        for task in self._tasks[1:]:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=drain)
            for task in late:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            try:
                await self._t.ledger.sweep()
            except PagerError as error:
                self._t.watch.trouble("lost claims can't be looked for", error)
