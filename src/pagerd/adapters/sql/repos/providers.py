"""Providers that the API keeps, and the numbers by which vectors name them."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from pagerd.adapters.sql.repos.rows import Locking, columns, struct, structs
from pagerd.adapters.sql.tables import PROVIDER, PROVIDER_NUMBER
from pagerd.ports.store import ProviderRow

_P = PROVIDER.c
_N = PROVIDER_NUMBER.c


class SqlProviders:
    """Implements ``ports.store.Providers``."""

    def __init__(self, connection: Connection, *, changes: bool) -> None:
        self._db = connection
        self._rows = Locking(connection, PROVIDER, changes=changes)

    def put(self, row: ProviderRow) -> None:
        """Insert or replace a provider; ``number`` 0 gives it one that no other ever had."""
        values = columns(PROVIDER, row)
        values["number"] = row.number or self.number(row.workspace, row.name)
        self._rows.put(values)

    def get(self, workspace: int, name: str) -> ProviderRow | None:
        """Return a provider, or ``None``."""
        row = self._rows.get(workspace, name)
        return None if row is None else struct(ProviderRow, row)

    def all(self, workspace: int) -> list[ProviderRow]:
        """Return all providers in order of name."""
        query = select(PROVIDER).where(_P.workspace == workspace).order_by(_P.name)
        return structs(ProviderRow, self._db.execute(query))

    def number(self, workspace: int, name: str) -> int:
        """Return the number by which vectors name a provider, giving it one if it is new."""
        query = select(_N.number).where(_N.workspace == workspace, _N.name == name)
        found = self._db.execute(query).scalar()
        if found is None:
            new = insert(PROVIDER_NUMBER).values(workspace=workspace, name=name).returning(_N.number)
            found = self._db.execute(new).scalar_one()
        return int(found)

    def names(self) -> dict[int, str]:
        """Return the names of all numbered providers."""
        return {row.number: row.name for row in self._db.execute(select(PROVIDER_NUMBER))}
