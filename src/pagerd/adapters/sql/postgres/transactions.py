"""Transactions for plain functions: SQLAlchemy Core over an asynchronous driver, run again where that can help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.engines import engine
from pagerd.adapters.sql.postgres.failures import RERUN, UNIQUE, is_lost, sqlstate, translated
from pagerd.adapters.sql.postgres.lines import CommitUnknown
from pagerd.core.errors import Unavailable

T = TypeVar("T")

_TRIES: Final = 10
_UNIQUE_TRIES: Final = 3
_PAUSE: Final = 0.002


class Transactions:
    """Runs functions over one database, each in a transaction of its own."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._engine = engine(at)
        self._closed = False

    async def run(self, begin: str, run: Callable[[Connection], T]) -> T:
        """Return what ``run`` returned, once it is durable; ``begin`` opens the transaction.

        Its exception undoes everything. It may be run again, from its beginning. :class:`CommitUnknown` says that
        the connection broke while the commit was under way.
        """
        for attempt in range(1, _TRIES + 1):
            if self._closed:
                raise Unavailable("the store is closing", code="closing")
            try:
                return await self._once(begin, run)
            except Unavailable:
                raise
            except Exception as error:
                if attempt == _TRIES or not _again(error, attempt):
                    known = translated(error, self._at)
                    if known is error:
                        raise
                    raise known from error
            await asyncio.sleep(_PAUSE * (attempt - 1))
        raise AssertionError("the last try raises")

    async def aclose(self) -> None:
        """Hang up; twice is harmless."""
        self._closed = True
        await self._engine.dispose()

    async def _once(self, begin: str, run: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            try:
                await raw.execute(begin)
                value = await connection.run_sync(run)
            except BaseException as error:
                await _undo(connection, raw, error)
                raise
            try:
                await raw.execute("COMMIT")
            except BaseException as error:
                await connection.invalidate()
                if isinstance(error, Exception) and (is_lost(error) or sqlstate(error) is None):
                    raise CommitUnknown("the database went away during a commit: it may stand or not") from error
                raise
            return value


async def _undo(connection: AsyncConnection, raw: Any, error: BaseException) -> None:
    """End a transaction that failed; a connection of which nobody knows where it stands is not used again."""
    if isinstance(error, Exception) and not is_lost(error):
        with contextlib.suppress(Exception):
            await raw.execute("ROLLBACK")
            return
    await connection.invalidate()


def _again(error: Exception, attempt: int) -> bool:
    """Tell whether the same function can succeed when it is run again from its beginning.

    A unique violation is somebody else's row that came between a look and an insert: the next run sees it.
    """
    state = sqlstate(error)
    if state in RERUN:
        return True
    if state == UNIQUE:
        return attempt < _UNIQUE_TRIES
    return attempt == 1 and is_lost(error)  # it died in the pool, while nobody looked
