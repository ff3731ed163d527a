"""The store on PostgreSQL: changes and looks through SQLAlchemy, each in a transaction of its workspace.

Changes run at READ COMMITTED; what a change reads in order to write it again is locked when it is read (the repos
do that), so that two changes of one session go one after the other, and none is undone for a neighbour's sake.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TypeVar

from pagerd.adapters.sql.postgres.address import Address, address
from pagerd.adapters.sql.postgres.hints import Hints
from pagerd.adapters.sql.postgres.lines import EVERY, Lines, drivers
from pagerd.adapters.sql.postgres.transactions import Transactions
from pagerd.adapters.sql.work import SqlWork
from pagerd.ports.store import Work

T = TypeVar("T")

_MINE: Final = "SET LOCAL pagerd.workspace = '{workspace}'; SET LOCAL idle_in_transaction_session_timeout = '5s'"
_CHANGE: Final = f"BEGIN; {_MINE}"
_LOOK: Final = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_MINE}"


class PostgresStore:
    """Implements ``ports.store.Store``; :func:`shape.migrated` must have run before."""

    def __init__(self, url: str, *, direct: str | None = None, workspace: int | None = None) -> None:
        """``direct`` reaches the same database without a PgBouncer between, for hints and migrations.

        Bound to a ``workspace`` the store sees, and can write, nothing of any other: the database itself refuses.
        """
        drivers()
        self.at: Address = address(url)
        self.direct: Address = self.at if direct is None else address(direct, "store_direct")
        self.lines = Lines(self.at)
        self._transactions = Transactions(self.at)
        self._hints = Hints(self.direct)
        bound = EVERY if workspace is None else str(int(workspace))
        self._change = _CHANGE.format(workspace=bound)
        self._look = _LOOK.format(workspace=bound)

    async def work(self, change: Callable[[Work], T]) -> T:
        """Run ``change`` in one transaction and return its value once it is durable; its exception undoes it all."""
        value = await self._transactions.run(self._change, lambda core: change(SqlWork(core)))
        self.tell_changed()
        return value

    async def read(self, look: Callable[[Work], T]) -> T:
        """Run ``look``, which must not write, over one consistent snapshot, without waiting for writers."""
        return await self._transactions.run(self._look, lambda core: look(SqlWork(core, changes=False)))

    def tell_changed(self) -> None:
        """Wake whoever waits in :meth:`changed`, here and in other processes."""
        self._hints.tell()

    async def changed(self) -> None:
        """Return when something may have been written since the last call returned."""
        await self._hints.changed()

    def spare(self) -> int:
        """Return more than anybody asks for: how much room the server's disk has is not for a client to know."""
        return sys.maxsize

    async def ping(self) -> None:
        """Return when the store answers."""
        await self._transactions.run(self._look, lambda core: core.exec_driver_sql("SELECT 1").all())

    async def aclose(self) -> None:
        """Finish what was accepted and close; twice is harmless."""
        await self._hints.aclose()
        await self.lines.aclose()
        await self._transactions.aclose()
