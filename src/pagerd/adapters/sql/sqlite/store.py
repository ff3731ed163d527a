"""The store on SQLite: changes through the one writer, looks on connections of their own that never wait for it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from pagerd.adapters.sql.failures import translated
from pagerd.adapters.sql.migrate import upgrade
from pagerd.adapters.sql.sqlite.connections import connect, core_over
from pagerd.adapters.sql.sqlite.writer import Hands, Statistics, Writer
from pagerd.adapters.sql.work import SqlWork
from pagerd.core.errors import Unavailable
from pagerd.ports.store import Work

T = TypeVar("T")

_READERS: Final = 2
_SPARE_FOR: Final = 1.0


class SqliteStore:
    """Implements ``ports.store.Store`` on one database file. The caller holds the lock on its folder."""

    def __init__(self, path: Path) -> None:
        """Open ``path``; :func:`migrated` must have run before."""
        self.path = path
        self.writer = Writer(path)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="pagerd-reader")
        self._mine = threading.local()
        self._opened: list[Hands] = []
        self._changed = asyncio.Event()
        self._spare = (0.0, 0)
        self._closed = False

    @property
    def statistics(self) -> Statistics:
        """What the writer did so far."""
        return self.writer.statistics

    async def work(self, change: Callable[[Work], T]) -> T:
        """Run ``change`` in one transaction and return its value once it is durable; its exception undoes it all."""
        value = await self.writer.do(lambda hands: change(SqlWork(hands.core)))
        self.tell_changed()
        return value

    async def read(self, look: Callable[[Work], T]) -> T:
        """Run ``look``, which must not write, over one consistent snapshot, without waiting for writers."""
        return await self._on_reader(lambda hands: look(SqlWork(hands.core)))

    async def look(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a plain query as :meth:`read` does."""
        return await self._on_reader(lambda hands: query(hands.raw))

    def tell_changed(self) -> None:
        """Wake whoever waits in :meth:`changed`."""
        self._changed.set()

    async def changed(self) -> None:
        """Return when something was written since the last call returned."""
        await self._changed.wait()
        self._changed.clear()

    def spare(self) -> int:
        """Return how many bytes the disk has left, as of at most a second ago."""
        asked, free = self._spare
        now = time.monotonic()
        if now - asked > _SPARE_FOR or not asked:
            free = shutil.disk_usage(self.path.parent).free
            self._spare = (now, free)
        return free

    async def ping(self) -> None:
        """Return when the store answers."""
        await self.look(lambda raw: raw.execute("SELECT 1").fetchone())

    async def aclose(self) -> None:
        """Finish what was accepted and close; twice is harmless."""
        self._closed = True
        self._readers.shutdown(wait=True)
        for hands in self._opened:
            hands.core.close()
            hands.raw.close()
        self._opened.clear()
        await asyncio.to_thread(self.writer.close)

    async def _on_reader(self, run: Callable[[Hands], T]) -> T:
        if self._closed:
            raise Unavailable("the store is closing", code="closing")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._snapshot, run)

    def _snapshot(self, run: Callable[[Hands], T]) -> T:
        hands = getattr(self._mine, "hands", None)
        if hands is None:
            raw = connect(self.path, read_only=True)
            hands = self._mine.hands = Hands(raw, core_over(raw))
            self._opened.append(hands)
        hands.raw.execute("BEGIN")
        try:
            return run(hands)
        except Exception as error:
            raise translated(error) from error
        finally:
            hands.raw.execute("ROLLBACK")


def migrated(path: Path) -> bool:
    """Bring the file at ``path`` to the newest shape, creating it if need be; return whether anything was done."""
    raw = connect(path)
    core = core_over(raw)
    try:
        done = upgrade(core)
        core.commit()
        return done
    finally:
        core.close()
        raw.close()
