"""The restore guard: tells a database that went on from one that was put back.

A server has an identifier of its own for life, and a new timeline each time that it comes out of a backup or is
promoted from a replica; a database that is made anew has a new number. All three are kept in the database itself: where
they are not what the server says, it comes from a backup, and what it thinks is to be sent may have been sent long ago.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pagerd.adapters.sql.postgres.store import PostgresStore
from pagerd.ports.store import Store, Work

_FACT: Final = "home"
_HOME: Final = """
SELECT s.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid::bigint
  FROM pg_control_system() s, pg_database d
 WHERE d.datname = current_database()
"""


class PostgresEpoch:
    """Where a database lives, and whether it was there before."""

    async def begin(
        self, store: PostgresStore, if_restored: Callable[[Store], Awaitable[object]] | None = None
    ) -> bool:
        """Note where the database lives; return whether it was restored since that was noted last.

        ``if_restored`` is done before it is noted: a crash in it, and the next start does it again. Several processes
        may begin at once.
        """
        rows = await store.lines.run(lambda line: line.fetch(_HOME))
        home = "/".join(str(word) for word in rows[0]).encode()
        last = await store.read(lambda work: work.facts.get(_FACT))
        restored = last is not None and last != home
        if restored and if_restored is not None:
            await if_restored(store)

        def change(work: Work) -> None:
            work.facts.set(_FACT, home)

        if last != home:
            await store.work(change)
        return restored
