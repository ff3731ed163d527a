"""What Redis's own errors mean, by table."""

from __future__ import annotations

import ssl
from typing import Final

from redis import exceptions as theirs

from pagerd.core.errors import Broken, Misconfigured, PagerError, Unavailable

# The first that fits: their classes are a tree, and the finer ones come first.
_MEANING: Final[tuple[tuple[type[Exception], type[PagerError], str, str], ...]] = (
    (theirs.AuthenticationError, Misconfigured, "redis_login", "Redis refuses the user or the password of the URL"),
    (theirs.AuthenticationWrongNumberOfArgsError, Misconfigured, "redis_login", "Redis is too old for users"),
    (theirs.AuthorizationError, Misconfigured, "redis_login", "Redis refuses the user of the URL"),
    (theirs.NoPermissionError, Misconfigured, "redis_rights", "the user of the URL lacks a right in Redis"),
    (theirs.OutOfMemoryError, Unavailable, "redis_full", "Redis is full"),
    (theirs.ReadOnlyError, Misconfigured, "redis_read_only", "this Redis is a replica, which can't be written"),
    (theirs.BusyLoadingError, Unavailable, "redis_down", "Redis is still loading its data"),
    (theirs.TimeoutError, Unavailable, "redis_down", "Redis does not answer"),
    (theirs.MaxConnectionsError, Unavailable, "redis_down", "no connection to Redis is free"),
    (theirs.ConnectionError, Unavailable, "redis_down", "Redis can't be reached"),
    (TimeoutError, Unavailable, "redis_down", "Redis does not answer"),
    (OSError, Unavailable, "redis_down", "Redis can't be reached"),
    (theirs.RedisError, Broken, "redis_error", "Redis refuses what Pager asks"),
)
KNOWN: Final = (theirs.RedisError, OSError, TimeoutError)
"""What may come out of the client library."""


def translated(error: Exception, shown: str) -> PagerError:
    """Return Pager's error for one of :data:`KNOWN`; ``shown`` is the address in it."""
    tls = _tls_fault(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Misconfigured(
            f"the certificate of Redis ({shown}) is not trusted: {tls.verify_message}", code="redis_tls"
        )
    if tls is not None:
        return Misconfigured(f"Redis ({shown}) does not speak TLS with us: {tls.reason}", code="redis_tls")
    for kind, meaning, code, words in _MEANING:
        if isinstance(error, kind):
            return meaning(f"{words} ({shown}): {error}", code=code)
    raise error


def _tls_fault(error: BaseException | None) -> ssl.SSLError | None:
    """Return the fault of TLS that an error wraps, if that is what it is."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None
