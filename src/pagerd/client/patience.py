"""When to ask again, and how long to rest before: backoff with full jitter, and the server's own Retry-After."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from pagerd.client.errors import Unreachable
from pagerd.client.steps import Plan, Reply, Request, ask, rest

REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that mean the same when they arrive twice (RFC 9110, section 9.2.2)."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often a request is tried, and the rests between.

    The nth rest is a random part of ``first * 2**n`` seconds, at most ``most``. A server that wants a longer rest
    than ``longest`` seconds is not waited for: its answer is raised. ``poll`` is the rest between two looks at a
    session whose events can't be listened to.
    """

    tries: int = 6
    first: float = 0.25
    most: float = 8.0
    longest: float = 60.0
    poll: float = 1.0
    chance: Callable[[], float] = random.random

    def backoff(self, tried: int) -> float:
        """Return the rest after ``tried`` tries (from 1), in seconds."""
        return self.chance() * min(self.most, self.first * 2.0**tried)


def patiently(request: Request, patience: Patience, *, repeatable: bool) -> Plan[Reply]:
    """Send ``request`` until there is an answer that is worth having; return it, whatever its status.

    A request that is not ``repeatable`` is only sent again where the server can't have acted on it: the connection
    was never made, or the answer says that it should be asked again.
    """
    tried = 0
    while True:
        tried += 1
        wait: float | None
        try:
            reply = yield from ask(request)
        except Unreachable as problem:
            if tried >= patience.tries or (problem.sent and not repeatable):
                raise
            wait = patience.backoff(tried)
        else:
            wait = _wait(reply, patience, tried, repeatable=repeatable)
            if wait is None or tried >= patience.tries:
                return reply
        yield from rest(wait)


def _wait(reply: Reply, patience: Patience, tried: int, *, repeatable: bool) -> float | None:
    """Return how long to rest before the request is sent again, or ``None`` to take the reply as the answer."""
    told = retry_after(reply.headers)
    if told is not None and told > patience.longest:
        return None
    if reply.status in (409, 429, 503) and told is not None:
        return told + patience.backoff(1)
    if reply.status in (429, 502, 503, 504) and repeatable:
        return patience.backoff(tried)
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, ``None`` without one (RFC 9110, section 10.2.3).

    A date is read against the answer's own ``Date``, so that nobody's clock matters.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    then, now = moment(text), moment(headers.get("date", ""))
    return max(0.0, (then - now).total_seconds()) if then and now else None


def moment(text: str) -> datetime | None:
    """Return the moment that an HTTP date names (RFC 9110, section 5.6.7), or ``None``."""
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None
