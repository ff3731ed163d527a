"""The attempts, cut up by the week in which their session was made: a week is dropped once nobody can read it.

Records are sealed with their session's key. When the keys of all sessions of a week are shredded, nothing in its
partition can be opened any more, and the whole table goes at once, without a row being touched.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.failures import LOCK_TIMEOUT, PARTITION, RERUN, sqlstate, translated
from pagerd.adapters.sql.postgres.lines import EVERY, dial

WEEK: Final = 604_800
_AHEAD: Final = 4
_NEXT_TIME: Final = RERUN | {LOCK_TIMEOUT, PARTITION}
"""Somebody was in the way, or wrote an attempt of that week at this very moment."""
_PREFIX: Final = "attempt_week_"
_LOCK: Final = 0x7061676574
_PARTITIONS: Final = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'attempt'::regclass
"""
_READABLE: Final = "SELECT EXISTS (SELECT FROM session WHERE created_at >= $1 AND created_at < $2 AND NOT settled_key)"
_MAKE: Final = """
CREATE TABLE {name} (LIKE attempt INCLUDING ALL);
ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {name} FORCE ROW LEVEL SECURITY;
"""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Which partitions were made and dropped, by their week."""

    made: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


async def keep_partitions(at: Address, now: float) -> Kept:
    """Make the partitions of this week and the next ones; drop old ones that nobody can read any more.

    ``at`` is the direct address. It waits for nobody: what can't be locked within a second is left for the next time,
    and where another process is at it there is nothing to do. Attempts without a partition of their own stand in the
    default one, so that nothing depends on when this runs. Raises :class:`Unavailable`.
    """
    try:
        connection = await dial(at)
        try:
            await connection.execute(f"SET lock_timeout = '1s'; SET pagerd.workspace = '{EVERY}'")
            if not await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):
                return Kept()
            return await _keep(connection, int(now // WEEK))
        finally:
            await connection.close()
    except Exception as error:
        raise translated(error, at) from error


async def _keep(connection: Any, week: int) -> Kept:
    names = [row[0] for row in await connection.fetch(_PARTITIONS)]
    weeks = {int(name.removeprefix(_PREFIX)) for name in names if name.startswith(_PREFIX)}
    missing = [ahead for ahead in range(week, week + _AHEAD + 1) if ahead not in weeks]
    made = [ahead for ahead in missing if await _tried(connection, _make, ahead)]
    old = [past for past in sorted(weeks) if past < week]
    dropped = [past for past in old if await _is_shredded(connection, past) and await _tried(connection, _drop, past)]
    return Kept(made=tuple(made), dropped=tuple(dropped))


async def _tried(connection: Any, change: Any, week: int) -> bool:
    try:
        async with connection.transaction():
            await change(connection, week)
    except Exception as error:
        if sqlstate(error) not in _NEXT_TIME:
            raise
        return False
    return True


async def _make(connection: Any, week: int) -> None:
    """Make a partition; attempts of its week that the default one has already move into it."""
    name = f"{_PREFIX}{week}"
    await connection.execute(_MAKE.format(name=name))
    early = await connection.fetch("DELETE FROM attempt WHERE period = $1 RETURNING *", week)
    await connection.execute(f"ALTER TABLE attempt ATTACH PARTITION {name} FOR VALUES FROM ({week}) TO ({week + 1})")
    await connection.executemany("INSERT INTO attempt VALUES ($1, $2, $3, $4, $5, $6)", [tuple(row) for row in early])


async def _drop(connection: Any, week: int) -> None:
    await connection.execute(f"DROP TABLE {_PREFIX}{week}")


async def _is_shredded(connection: Any, week: int) -> bool:
    return not await connection.fetchval(_READABLE, float(week * WEEK), float((week + 1) * WEEK))
