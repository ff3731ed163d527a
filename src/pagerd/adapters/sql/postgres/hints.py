"""Hints between processes that something changed: ``NOTIFY``, never relied on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.lines import dial

CHANNEL: Final = "pagerd_changed"
_POLL: Final = 1.0
"""Seconds after which whoever waits looks anyway: a lost hint costs no more."""
_QUIET: Final = 0.03
"""Seconds between two hints of one process: a commit with ``NOTIFY`` takes a lock that all of them share."""
_AGAIN: Final = 1.0


class Hints:
    """Tells others on the direct connection, and wakes who waits here. Begins when it is first used."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._here = asyncio.Event()
        self._to_tell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def tell(self) -> None:
        """Wake whoever waits in :meth:`changed`, here at once, elsewhere soon."""
        self._here.set()
        self._to_tell.set()
        self._begin()

    async def changed(self) -> None:
        """Return when something changed since the last call returned, and after a second in any case."""
        self._begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await self._here.wait()
        self._here.clear()

    async def aclose(self) -> None:
        """Hang up; twice is harmless."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _begin(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # without hints all goes on, a second later
                await self._connected()
            await asyncio.sleep(_AGAIN)

    async def _connected(self) -> None:
        connection = await dial(self._at)
        try:
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(CHANNEL, self._heard)
            while not gone.is_set():
                await self._to_tell.wait()
                self._to_tell.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")
                await asyncio.sleep(_QUIET)
        finally:
            connection.terminate()

    def _heard(self, connection: Any, teller: int, *_: object) -> None:
        if teller != connection.get_server_pid():
            self._here.set()
