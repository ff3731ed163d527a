"""Templates and their versions."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from pagerd.adapters.sql.repos.rows import Locking, columns, struct, structs
from pagerd.adapters.sql.tables import TEMPLATE, TEMPLATE_VERSION
from pagerd.core.errors import Conflict
from pagerd.ports.store import TemplateRow, VersionRow

_T = TEMPLATE.c
_V = TEMPLATE_VERSION.c


class SqlTemplates:
    """Implements ``ports.store.Templates``."""

    def __init__(self, connection: Connection, *, changes: bool) -> None:
        self._db = connection
        self._rows = Locking(connection, TEMPLATE, changes=changes)

    def get(self, workspace: int, name: str) -> TemplateRow | None:
        """Return a template, or ``None``."""
        row = self._rows.get(workspace, name)
        return None if row is None else struct(TemplateRow, row)

    def page(self, workspace: int, limit: int, after: str) -> list[TemplateRow]:
        """Return templates in order of name, those after ``after``."""
        query = select(TEMPLATE).where(_T.workspace == workspace, _T.name > after).order_by(_T.name).limit(limit)
        return structs(TemplateRow, self._db.execute(query))

    def save(self, row: TemplateRow) -> None:
        """Insert or replace a template."""
        self._rows.put(columns(TEMPLATE, row))

    def publish(self, row: VersionRow) -> None:
        """Insert a version; the same number again raises :class:`Conflict`."""
        if self.version(row.workspace, row.name, row.version) is not None:
            raise Conflict(f"version {row.version} of template {row.name} is published already")
        self._db.execute(insert(TEMPLATE_VERSION).values(columns(TEMPLATE_VERSION, row)))

    def version(self, workspace: int, name: str, version: int) -> VersionRow | None:
        """Return a version, or ``None``."""
        query = select(TEMPLATE_VERSION).where(_V.workspace == workspace, _V.name == name, _V.version == version)
        row = self._db.execute(query).first()
        return None if row is None else struct(VersionRow, row)

    def versions(self, workspace: int, name: str) -> list[VersionRow]:
        """Return all versions, newest first."""
        query = select(TEMPLATE_VERSION).where(_V.workspace == workspace, _V.name == name)
        return structs(VersionRow, self._db.execute(query.order_by(_V.version.desc())))
