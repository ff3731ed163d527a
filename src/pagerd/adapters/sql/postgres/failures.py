"""What PostgreSQL's errors mean, by SQLSTATE and by the class of what the network said; never by their words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pagerd.adapters.sql.postgres.address import Address
from pagerd.core.errors import Broken, Misconfigured, PagerError, Unavailable

RERUN: Final = frozenset({"40001", "40P01"})
"""A neighbour was in the way (serialization failure, deadlock): the same again, from its beginning, can succeed."""
UNIQUE: Final = "23505"
LOCK_TIMEOUT: Final = "55P03"
PARTITION: Final = "23514"

_MISCONFIGURED: Final[dict[str, tuple[str, str, str]]] = {
    "28P01": ("store_password", "the password is wrong", "Correct the password in the URL."),
    "28000": ("store_login", "this user may not log in from here", "Correct the user, or the server's pg_hba.conf."),
    "3D000": ("store_database_missing", "there is no such database", "Create it: CREATE DATABASE … OWNER …"),
    "42501": (
        "store_right_missing",
        "a right is missing",
        "Make the user its owner: ALTER DATABASE … OWNER TO …",
    ),
    "3F000": ("store_right_missing", "there is no schema to write to", "GRANT CREATE, USAGE ON SCHEMA public TO …"),
}
_UNAVAILABLE: Final[dict[str, tuple[str, str]]] = {
    "53100": ("disk_full", "the database's disk is full: nothing of this was kept"),
    "53200": ("store_busy", "the database is out of memory"),
    "53300": ("store_connections", "the database takes no more connections: raise max_connections, or use PgBouncer"),
    "53400": ("store_connections", "the database takes no more connections: raise the user's or database's limit"),
    "57P01": ("store_unreachable", "the database is being shut down"),
    "57P02": ("store_unreachable", "the database has crashed and is coming back"),
    "57P03": ("store_unreachable", "the database is starting"),
    "57P05": ("store_unreachable", "the database closed an idle connection"),
    "25P03": ("store_unreachable", "the database closed a transaction that stood still"),
    "25006": ("store_read_only", "the database can't be written: it is a replica, or was made read-only"),
    "57014": ("store_busy", "the database took too long"),
    LOCK_TIMEOUT: ("store_busy", "the database is busy"),
    **dict.fromkeys(RERUN, ("store_busy", "the database is busy: too many wanted the same at once")),
}
_BROKEN: Final[dict[str, tuple[str, str]]] = {
    "42P01": ("store_not_migrated", "a table is missing: run pagerd migrate"),
    "42703": ("store_not_migrated", "a column is missing: run pagerd migrate"),
    "XX001": ("store_corrupt", "the database is damaged: restore a backup"),
    "XX002": ("store_corrupt", "an index of the database is damaged: REINDEX, or restore a backup"),
}
_CONNECTION: Final = "08"
_NETWORK: Final = (
    (TimeoutError, "the server does not answer"),
    (ConnectionRefusedError, "nobody listens there"),
    (OSError, "it can't be reached"),
)
_WRONG_NAME: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH (openssl-verification-options(1))."""


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that an error carries, also through SQLAlchemy; ``None`` where there is none."""
    for link in _chain(error):
        state = getattr(link, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def translated(error: Exception, at: Address, *, starting: bool = False) -> Exception:
    """Return Pager's error for a driver's; anything that is not a known failure of the world is returned as it is.

    Whoever is ``starting`` is told which setting led there, and its value. Later on what is only unavailable is told
    to people who have no business with addresses of ours.
    """
    known = _known(error, at)
    if starting and isinstance(known, Unavailable):
        words = f"{at.setting} = {at.shown!r}: {known.detail}. Start the server, or correct the address"
        return Unavailable(words, code=known.code)
    return known


def _known(error: Exception, at: Address) -> Exception:
    if isinstance(error, PagerError):
        return error
    state = sqlstate(error)
    if state is not None:
        return _by_state(state, at) or error
    for link in _chain(error):
        found = _by_class(link, at)
        if found is not None:
            return found
    return _unreachable("the connection broke") if is_lost(error) else error


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection itself is gone."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_CONNECTION) or state in {"57P01", "57P02", "57P03", "57P05", "25P03"}
    return any(isinstance(link, OSError | EOFError) or _says_closed(link) for link in _chain(error))


def _says_closed(error: BaseException) -> bool:
    import asyncpg
    import psycopg

    # Raised by the drivers themselves, without a word of the server's: the connection was closed under their hands.
    # A value that does not fit its type is an InterfaceError of asyncpg's, too, and a ValueError.
    # InternalClientError: the server's last word came while nobody listened, and the connection is stuck behind it.
    closed = asyncpg.InterfaceError | asyncpg.InternalClientError | psycopg.OperationalError | psycopg.InterfaceError
    return isinstance(error, closed) and not isinstance(error, ValueError)


def _by_state(state: str, at: Address) -> PagerError | None:
    if state in _MISCONFIGURED:
        code, what, remedy = _MISCONFIGURED[state]
        return at.wrong(what, code=code, remedy=remedy)
    if state in _UNAVAILABLE:
        code, what = _UNAVAILABLE[state]
        return Unavailable(what, code=code)
    if state in _BROKEN:
        code, what = _BROKEN[state]
        return Broken(f"{what} ({at.setting} = {at.shown!r})", code=code)
    return _unreachable("the connection broke") if state.startswith(_CONNECTION) else None


def _by_class(error: BaseException, at: Address) -> PagerError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, at)
    if isinstance(error, ssl.SSLError):
        return at.wrong("TLS with the server fails", code="store_tls", remedy="Set sslmode as the server wants it.")
    if isinstance(error, socket.gaierror):
        remedy = "Correct the host's name, or the machine's name service."
        return at.wrong("there is no host of that name", code="store_host", remedy=remedy)
    if isinstance(error, PoolTimeout):
        return Unavailable("too much is asked of the database at once", code="store_busy")
    words = next((words for kind, words in _NETWORK if isinstance(error, kind)), None)
    return None if words is None else _unreachable(words)


def _untrusted(error: ssl.SSLCertVerificationError, at: Address) -> Misconfigured:
    if error.verify_code in _WRONG_NAME:
        remedy = "Write the host as its certificate names it, or give the server a certificate for this name."
        return at.wrong("the server's certificate is for another name", code="store_tls_name", remedy=remedy)
    remedy = "Name the authority that signed it: sslrootcert=/path/ca.pem in the URL."
    return at.wrong("the server's certificate is not trusted", code="store_tls_untrusted", remedy=remedy)


def _unreachable(what: str) -> Unavailable:
    return Unavailable(f"the database is away: {what}", code="store_unreachable")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an error and what it was made of."""
    link: BaseException | None = error
    while link is not None:
        yield link
        origin = link.orig if isinstance(link, DBAPIError) else None
        link = origin or link.__cause__
