"""Numbers for reasons, and single facts about the installation."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from pagerd.adapters.sql.repos.rows import Locking
from pagerd.adapters.sql.tables import FACT, REASON_CODE
from pagerd.core.outcomes import Reason, ReasonClass


class SqlReasons:
    """Implements ``ports.store.Reasons``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def number(self, reason: Reason) -> int:
        """Return the number of a reason, giving it one if it is new."""
        c = REASON_CODE.c
        kind = reason.kind.value
        found = self._db.execute(select(c.number).where(c.kind == kind, c.code == reason.code)).scalar()
        if found is None:
            new = insert(REASON_CODE).values(kind=kind, code=reason.code).returning(c.number)
            found = self._db.execute(new).scalar_one()
        return int(found)

    def all(self) -> dict[int, Reason]:
        """Return every reason by its number."""
        rows = self._db.execute(select(REASON_CODE))
        return {row.number: Reason(ReasonClass(row.kind), row.code) for row in rows}


class SqlFacts:
    """Implements ``ports.store.Facts``."""

    def __init__(self, connection: Connection, *, changes: bool) -> None:
        self._rows = Locking(connection, FACT, changes=changes)

    def get(self, name: str) -> bytes | None:
        """Return a value, or ``None``."""
        row = self._rows.get(name)
        return None if row is None else bytes(row.value)

    def set(self, name: str, value: bytes) -> None:
        """Keep a value, replacing the old one."""
        self._rows.put({"name": name, "value": value})
