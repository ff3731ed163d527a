"""Records of a queue that could not be read."""

from __future__ import annotations

from sqlalchemy import Connection, select

from pagerd.adapters.sql.repos.rows import columns, put, structs
from pagerd.adapters.sql.tables import QUARANTINE
from pagerd.ports.store import QuarantineRow


class SqlQuarantine:
    """Implements ``ports.store.Quarantine``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, row: QuarantineRow) -> None:
        """Keep a record; one from the same place again is harmless."""
        put(self._db, QUARANTINE, columns(QUARANTINE, row))

    def newest(self, limit: int) -> list[QuarantineRow]:
        """Return records, the last taken first."""
        query = select(QUARANTINE).order_by(QUARANTINE.c.taken_at.desc(), QUARANTINE.c.position.desc()).limit(limit)
        return structs(QuarantineRow, self._db.execute(query))
