"""Where Redis is, as its URL says it."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from pagerd.core.errors import Misconfigured

_SCHEMES: Final = ("redis", "rediss", "redis+unix")
_FILES: Final = {"ca_file": "ssl_ca_certs", "cert_file": "ssl_certfile", "key_file": "ssl_keyfile"}
_PORT: Final = 6379
_REMEDY: Final = (
    "Write redis://[user:password@]host[:port][/database], rediss://… for TLS (?ca_file=… names your own authority), "
    "or redis+unix:///path/of/the.socket."
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis is. ``shown`` is the URL without its password; ``options`` are for the client library."""

    shown: str
    tls: bool
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"Address({self.shown})"


def address_of(url: str, setting: str) -> Address:
    """Return the address that a URL means; raise :class:`Misconfigured` naming ``setting`` and never the password."""
    try:
        parts = urlsplit(url)
        shown = _shown(parts)
        return Address(shown=shown, tls=parts.scheme == "rediss", options=_place(parts) | _login(parts) | _tls(parts))
    except ValueError as error:
        raise Misconfigured(f"{setting}: {error}", code="redis_url", remedy=_REMEDY) from None


def _shown(url: SplitResult) -> str:
    user = "…@" if "@" in url.netloc else ""
    return f"{url.scheme}://{user}{url.netloc.rpartition('@')[2]}{url.path}"


def _place(url: SplitResult) -> dict[str, Any]:
    if url.scheme not in _SCHEMES:
        raise ValueError(f"{url.scheme or 'nothing'!r} is no scheme of a Redis URL")
    if url.scheme == "redis+unix":
        if not url.path or url.hostname:
            raise ValueError("redis+unix:// names no socket")
        return {"path": unquote(url.path)}
    if not url.hostname:
        raise ValueError("the URL names no host")
    database = url.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise ValueError(f"{database!r} is no number of a database")
    return {"host": url.hostname, "port": url.port or _PORT, "db": int(database)}


def _login(url: SplitResult) -> dict[str, Any]:
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return {"username": user or None, "password": password or None} if password else {}


def _tls(url: SplitResult) -> dict[str, Any]:
    given = parse_qsl(url.query, keep_blank_values=True)
    unknown = [name for name, _ in given if name not in _FILES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no option of a Redis URL: {', '.join(_FILES)}")
    if given and url.scheme != "rediss":
        raise ValueError(f"{given[0][0]} is for rediss:// only")
    for name, value in given:
        if not os.access(value, os.R_OK):
            raise ValueError(f"{name} {value} can't be read")
    return {_FILES[name]: value for name, value in given}
