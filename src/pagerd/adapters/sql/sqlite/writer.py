"""The one writer: a thread that runs what many callers ask for in shared transactions (group commit).

While one commit waits for the disk, jobs gather; the next transaction takes them all. There is no timer: an idle
writer commits a lone job at once, a busy one shares each fsync among everybody. A transaction takes no further job
once it is :data:`LONGEST` old. A job runs inside a savepoint, so that one that fails harms no neighbour.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import Connection

from pagerd.adapters.sql.failures import translated
from pagerd.adapters.sql.sqlite.connections import connect, core_over
from pagerd.core.errors import PagerError, Unavailable

T = TypeVar("T")

LONGEST: Final = 0.005
"""Seconds after which a transaction takes no further job; with the last one it is meant to stay below 10 ms."""
_LONG_LOG: Final = 16 * 2**20
"""Bytes of log from which on it is folded back into the file."""


class Hands(msgspec.Struct, frozen=True):
    """What a job works with: the driver's connection for the hot path, Core over the same one for the rest."""

    raw: sqlite3.Connection
    core: Connection


class Statistics(msgspec.Struct, kw_only=True):
    """What the writer did so far; seconds."""

    commits: int = 0
    jobs: int = 0
    longest_transaction: float = 0.0
    longest_commit: float = 0.0


class _Job(Generic[T]):
    __slots__ = ("done", "run", "safe")

    def __init__(self, run: Callable[[Hands], T], done: Callable[[T | None, BaseException | None], None], safe: bool):
        self.run = run
        self.done = done
        self.safe = safe


class Writer:
    """Runs jobs in the order they came, many in one commit; a job's future is done once its commit is durable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="pagerd-writer", daemon=True)
        self._hands = self._open()
        self._closed = False
        self._folding = threading.Event()
        self._folded = threading.Event()
        self._answers: dict[asyncio.AbstractEventLoop, list[tuple[Any, Any, Any]]] = {}
        self.statistics = Statistics()
        self._thread.start()

    def _open(self) -> Hands:
        raw = connect(self._path)
        return Hands(raw, core_over(raw))

    async def do(self, run: Callable[[Hands], T], *, safe: bool = False) -> T:
        """Return what ``run`` returned, once it is durable; raise what it raised, with nothing of it kept.

        ``safe`` promises that ``run`` raises only when the database itself fails: it then needs no savepoint.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)  # type: ignore[arg-type]

        def done(value: T | None, error: BaseException | None) -> None:
            self._answers.setdefault(loop, []).append((settle, value, error))

        self._put(_Job(run, done, safe))
        return await future

    def post(self, run: Callable[[Hands], T], done: Callable[[T | None, BaseException | None], None]) -> None:
        """Run a job for a caller without an event loop; ``done`` is called on the writer's thread, after the commit."""
        self._put(_Job(run, done, False))

    def _put(self, job: _Job[Any]) -> None:
        if self._closed:
            raise Unavailable("the store is closing", code="closing")
        self._queue.put(job)

    def close(self) -> None:
        """Finish what was accepted, fold the log into the file, end the thread. Twice is harmless. Blocks."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (job := self._queue.get()) is not None:
                if not self._transaction(job):
                    break
        finally:
            self._refuse_the_rest()
            with contextlib.suppress(sqlite3.Error):  # a full disk: the log is folded back by the next start
                self._hands.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._hands.core.close()
            self._hands.raw.close()

    def _refuse_the_rest(self) -> None:
        """Answer whoever came between the last look at the queue and the end."""
        closing = Unavailable("the store is closing", code="closing")
        with contextlib.suppress(Empty):
            while True:
                job = self._queue.get_nowait()
                if job is not None:
                    self._answer([(job, None, closing)])

    def _transaction(self, first: _Job[Any]) -> bool:
        """Run ``first`` and what has gathered behind it in one commit; return whether to go on."""
        finished: list[tuple[_Job[Any], Any, BaseException | None]] = []
        going = True
        began = time.perf_counter()
        job: _Job[Any] | None = first
        try:
            self._hands.raw.execute("BEGIN IMMEDIATE")
            while job is not None:
                finished.append(self._one(job))
                if time.perf_counter() - began > LONGEST:
                    break
                job, going = self._next()
            committing = time.perf_counter()
            self._hands.raw.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whoever asked must hear of it; the thread lives on
            self._undo()
            known = translated(error) if isinstance(error, Exception) else error
            ran = [done for done, _, _ in finished]
            if job is not None and job not in ran:
                ran.append(job)
            if isinstance(known, Unavailable):
                self._make_room()
            self._answer([(done, None, known) for done in ran])
            return going
        self._measure(len(finished), began, committing)
        self._answer(finished)
        self._checkpoint()
        return going

    def _make_room(self) -> None:
        """Fold the log back at once: on a full disk it may be what fills it, and no commit comes through to do it."""
        with contextlib.suppress(sqlite3.Error):
            self._hands.raw.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _next(self) -> tuple[_Job[Any] | None, bool]:
        try:
            job = self._queue.get_nowait()
        except Empty:
            return None, True
        return job, job is not None

    def _one(self, job: _Job[Any]) -> tuple[_Job[Any], Any, BaseException | None]:
        raw = self._hands.raw
        if job.safe:
            return job, job.run(self._hands), None
        raw.execute("SAVEPOINT job")
        try:
            value = job.run(self._hands)
        except Exception as error:
            if not raw.in_transaction:
                raise  # the database gave the whole transaction up
            raw.execute("ROLLBACK TO job")
            raw.execute("RELEASE job")
            return job, None, translated(error)
        raw.execute("RELEASE job")
        return job, value, None

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # the next BEGIN tells what is wrong
            if self._hands.raw.in_transaction:
                self._hands.raw.execute("ROLLBACK")

    def _answer(self, finished: list[tuple[_Job[Any], Any, BaseException | None]]) -> None:
        for job, value, error in finished:
            job.done(value, error)
        for loop, answers in self._answers.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle_all, answers)
        self._answers = {}

    def _measure(self, jobs: int, began: float, committing: float) -> None:
        now = time.perf_counter()
        seen = self.statistics
        seen.commits += 1
        seen.jobs += jobs
        seen.longest_transaction = max(seen.longest_transaction, committing - began)
        seen.longest_commit = max(seen.longest_commit, now - committing)

    def _checkpoint(self) -> None:
        """Fold the log back: the bulk on a thread of its own, then the little rest here, so that the log restarts."""
        if self._folded.is_set():
            with contextlib.suppress(sqlite3.Error):  # a full disk: what was committed stands; a later one tries again
                self._hands.raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._folded.clear()
            self._folding.clear()
        elif not self._folding.is_set() and self.statistics.commits % 64 == 0 and self._log_is_long():
            self._folding.set()
            threading.Thread(target=self._fold, name="pagerd-checkpoint", daemon=True).start()

    def _log_is_long(self) -> bool:
        return self._path.with_name(self._path.name + "-wal").stat().st_size > _LONG_LOG

    def _fold(self) -> None:
        try:
            raw = connect(self._path)
            try:
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")  # what came while the first one ran
            finally:
                raw.close()
            self._folded.set()
        except (sqlite3.Error, PagerError):
            self._folding.clear()  # a full disk: the log stays longer, and a later commit tries again


def _settle_all(answers: list[tuple[Any, Any, Any]]) -> None:
    for settle, value, error in answers:
        settle(value, error)
