"""Bring a PostgreSQL to the newest shape while others go on working in it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sqlalchemy import Connection

from pagerd.adapters.sql.migrate import upgrade
from pagerd.adapters.sql.postgres.address import Address, address
from pagerd.adapters.sql.postgres.engines import engine
from pagerd.adapters.sql.postgres.failures import LOCK_TIMEOUT, RERUN, sqlstate, translated
from pagerd.adapters.sql.postgres.lines import dial, drivers

OLDEST: Final = 140_000
"""``server_version_num`` of the oldest PostgreSQL that is served."""
_LOCK: Final = 0x7061676572
"""The advisory lock under which one process migrates and the others wait: "pager"."""
_LONGEST: Final = 3600.0
_TRIES: Final = 30
_PAUSE: Final = 0.5
_PATIENCE: Final = (
    # A statement that waits for a table keeps everybody behind it waiting, too: it gives up early, and comes again.
    "SET lock_timeout = '1s'",
    "SET pagerd.workspace = '*'",
)


async def migrated(url: str, *, direct: str | None = None) -> bool:
    """Bring the database to the newest shape; return whether there was anything to do.

    Several processes may do it at once: one does, the others wait. Raises :class:`Misconfigured` for what only a
    person can mend: the URL, the password, a right, a server that is too old, a database of a newer Pager.
    """
    drivers()
    at = address(url) if direct is None else address(direct, "store_direct")
    try:
        keeper = await dial(at)
        try:
            await _is_new_enough(keeper, at)
            await _alone(keeper)
            return await _patiently(at)
        finally:
            await keeper.close()
    except Exception as error:
        raise translated(error, at, starting=True) from error


async def serves(at: Address) -> None:
    """Return when the server can be used; raise what is wrong, by what the server and the network say."""
    try:
        connection = await dial(at)
    except Exception as error:
        raise translated(error, at, starting=True) from error
    try:
        await _is_new_enough(connection, at)
    finally:
        await connection.close()


async def _is_new_enough(keeper: Any, at: Address) -> None:
    number = int(await keeper.fetchval("SELECT current_setting('server_version_num')"))
    if number < OLDEST:
        words = f"the server is PostgreSQL {number // 10_000}, and Pager needs {OLDEST // 10_000} or newer"
        raise at.wrong(words, code="store_too_old", remedy="Upgrade the server.")


async def _alone(keeper: Any) -> None:
    """Return when no other process migrates; the lock goes with the connection."""
    await keeper.fetchval(f"SELECT pg_advisory_lock({_LOCK})", timeout=_LONGEST)


async def _patiently(at: Address) -> bool:
    """Migrate; where a lock can't be had in a second let the others pass, and try again."""
    made = engine(at).execution_options(isolation_level="READ COMMITTED")
    try:
        for attempt in range(1, _TRIES + 1):
            try:
                async with made.connect() as connection:
                    return await connection.run_sync(_upgrade)
            except Exception as error:
                if attempt == _TRIES or sqlstate(error) not in RERUN | {LOCK_TIMEOUT}:
                    raise
            await asyncio.sleep(_PAUSE)
        raise AssertionError("the last try raises")
    finally:
        await made.dispose()


def _upgrade(connection: Connection) -> bool:
    for statement in _PATIENCE:
        connection.exec_driver_sql(statement)
    connection.commit()
    return upgrade(connection)
