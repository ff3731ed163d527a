"""Bring a database to the newest shape, and refuse one that is newer than this program."""

from __future__ import annotations

import importlib.resources
import os
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from pagerd.core.errors import Misconfigured

HEAD: Final = "0003"
"""The newest revision; a test holds it against the files."""
MORE: tuple[Path, ...] = ()
"""Folders with further migrations: tests try the next release's."""


def revision(connection: Connection) -> str | None:
    """Return the revision that a database is at; ``None`` for an empty one."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None


def upgrade(connection: Connection) -> bool:
    """Migrate to :data:`HEAD`; return whether there was anything to do.

    A database from a newer version raises :class:`Misconfigured` and is not touched. alembic, which takes long to
    load, is loaded only when there is something to do.
    """
    current = revision(connection)
    if current == HEAD:
        return False
    if current is not None and current > HEAD:
        raise Misconfigured(
            f"the database is of a newer version of Pager (revision {current}; this program knows {HEAD})",
            code="database_newer",
            remedy="Install the version of pagerd that wrote it, or restore a backup made by this one.",
        )
    if connection.dialect.name == "postgresql":
        connection.rollback()  # the look above began a transaction; alembic makes one for each revision
    _alembic_upgrade(connection)
    return True


def _alembic_upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files(__package__) / "migrations"))
    config.set_main_option("path_separator", "os")
    if MORE:
        versions = [importlib.resources.files(__package__) / "migrations" / "versions", *MORE]
        config.set_main_option("version_locations", os.pathsep.join(map(str, versions)))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
