"""Where a PostgreSQL is: the URL of a setting, read once, and shown without its password."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from pagerd.core.errors import Misconfigured

Driver = Literal["asyncpg", "psycopg"]
_DRIVERS: Final[dict[str, Driver]] = {
    "postgresql": "asyncpg",
    "postgresql+asyncpg": "asyncpg",
    "postgresql+psycopg": "psycopg",
}
_SCHEME: Final = "postgresql"
_POOLED: Final = "pgbouncer"
_YES_NO: Final = {"true": True, "false": False}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A database of PostgreSQL. ``setting`` is what the URL was written under: every complaint names it.

    ``dsn`` is the URL as libpq reads it (``sslmode``, ``sslrootcert`` … included). ``pooled`` says that a PgBouncer in
    transaction mode stands before it: each transaction may meet another server process, so nothing that outlives a
    transaction (a prepared statement, a setting, a ``LISTEN``) is relied on.
    """

    setting: str
    driver: Driver
    dsn: str
    shown: str
    pooled: bool = False

    def wrong(self, what: str, *, code: str, remedy: str) -> Misconfigured:
        """Return the error that names the setting, its value without the password, and the remedy."""
        return Misconfigured(f"{self.setting} = {self.shown!r}: {what}", code=code, remedy=remedy)


def address(url: str, setting: str = "store") -> Address:
    """Return the address that a URL says; raise :class:`Misconfigured` for one that says none.

    ``postgresql://`` and ``postgresql+asyncpg://`` use asyncpg, ``postgresql+psycopg://`` uses psycopg 3.
    ``?pgbouncer=true`` is ours; all other parameters are libpq's.
    """
    try:
        read = make_url(url)
        driver = _DRIVERS[read.drivername]
    except (ArgumentError, KeyError, ValueError):
        raise _unreadable(setting, "is no address of a PostgreSQL database") from None
    if not read.host or not read.database:
        raise _unreadable(setting, "names no host, or no database")
    query = dict(read.query)
    pooled = query.pop(_POOLED, "false")
    if not isinstance(pooled, str) or pooled not in _YES_NO:
        raise _unreadable(setting, f"{_POOLED} is true or false")
    plain = read.set(drivername=_SCHEME, query=query)
    return Address(
        setting=setting,
        driver=driver,
        dsn=plain.render_as_string(hide_password=False),
        shown=_without_secrets(read),
        pooled=_YES_NO[pooled],
    )


def _without_secrets(url: URL) -> str:
    """Return the URL without what might be secret: libpq takes passwords as parameters, too."""
    kept: dict[str, Any] = {name: value for name, value in url.query.items() if "pass" not in name}
    return url.set(query=kept).render_as_string(hide_password=True)


def _unreadable(setting: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"{setting} {what}",
        code="store_url",
        remedy=f'Write {setting} = "postgresql://user:password@host:5432/database".',
    )
