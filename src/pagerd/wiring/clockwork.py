"""What goes on by itself in every process of an installation, whatever its role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from pagerd.ports.time import Clock
from pagerd.ports.watch import Watch
from pagerd.session.housekeeping import Housekeeper
from pagerd.session.relay import Relay

Loop = Callable[[], Coroutine[Any, Any, None]]
_HOUR: Final = 3600.0


class Clockwork:
    """Housekeeping, the relay, and hearing of what other processes changed."""

    def __init__(
        self,
        housekeeper: Housekeeper,
        relay: Relay | None,
        loops: Sequence[Loop],
    ) -> None:
        """``loops`` run until they are cancelled."""
        self._housekeeper = housekeeper
        self._relay = relay
        self._loops = loops
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._housekeeper.start()
        if self._relay is not None:
            self._relay.start()
        self._tasks = [asyncio.create_task(loop()) for loop in self._loops]

    async def stop(self) -> None:
        """End; twice is harmless."""
        if self._relay is not None:
            await self._relay.stop()
        await self._housekeeper.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []


async def hourly(chore: Callable[[float], Awaitable[object]], clock: Clock, watch: Watch) -> None:
    """Do ``chore`` now and every hour, given the time (UTC epoch seconds), until cancelled."""
    while True:
        try:
            await chore(clock.now())
        except Exception as error:  # noqa: BLE001 - it is done again in an hour
            watch.trouble("the store's partitions can't be kept", error)
        await asyncio.sleep(_HOUR)
