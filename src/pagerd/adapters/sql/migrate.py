"""Bring a database to the newest shape, and refuse one that is newer than this program."""

from __future__ import annotations

import importlib.resources
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from pagerd.core.errors import Misconfigured

HEAD: Final = "0002"
"""The newest revision; a test holds it against the files."""


def revision(connection: Connection) -> str | None:
    """Return the revision that a database is at; ``None`` for an empty one."""
    try:
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    except OperationalError:
        return None
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
    _alembic_upgrade(connection)
    return True


def _alembic_upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files(__package__) / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
