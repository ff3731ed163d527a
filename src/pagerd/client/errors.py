"""What can go wrong between a program and Pager, in one tree under the core's root.

::

    PagerError (core)
    ├── NotConfigured      no address or no key to ask with
    ├── Unreachable        the server could not be reached, or broke off before it had answered
    ├── NotPager           something answered, but not what Pager answers
    ├── NotTold            a session's people are not all told
    ├── BadFolder          a folder of templates can't be read; every flaw with file and line
    └── ApiError           Pager answered with a problem (RFC 9457)
        ├── BadRequest 400   ├── Unauthenticated 401   ├── Forbidden 403   ├── NotFound 404
        ├── Conflict 409     ├── Gone 410              ├── Stale 412       ├── TooLarge 413
        ├── Invalid 422      │   └── NotSupportedYet
        ├── TooMany 429      └── Unavailable 503
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pagerd.core.errors import Fault, PagerError
from pagerd.core.views import RecipientView, SessionView

__all__ = ["PagerError"]


class NotConfigured(PagerError):
    """There is no address or no key to ask with."""

    code = "not_configured"


class Unreachable(PagerError):
    """The server could not be reached, or broke off. ``sent`` tells whether it may have read the request."""

    code = "unreachable"

    def __init__(self, detail: str = "", *, sent: bool, remedy: str = "") -> None:
        super().__init__(detail, remedy=remedy)
        self.sent = sent


class NotPager(PagerError):
    """Something answered, but not what Pager answers."""

    code = "not_pager"


class NotTold(PagerError):
    """Not everybody of a session is told.

    ``recipients`` holds the first thousand people who are finally not told, in file order by state; ``session`` is
    the session as it was looked at.
    """

    code = "not_told"

    def __init__(self, session: SessionView, recipients: Sequence[RecipientView]) -> None:
        parts = [f"{session.not_told} of {session.total} people of {session.id} are not told"]
        parts += [f"{session.to_go} are still to go"] * bool(session.to_go)
        parts += [f"{session.in_doubt} are in doubt"] * bool(session.in_doubt)
        super().__init__(", ".join(parts))
        self.session = session
        self.recipients = tuple(recipients)


class Flaw(msgspec.Struct, frozen=True):
    """One thing that is wrong in a file; ``line`` and ``column`` from 1, 0 where there is none."""

    path: Path
    line: int
    detail: str
    column: int = 0

    def __str__(self) -> str:
        place = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{self.path}{place}: {self.detail}"


class BadFolder(PagerError):
    """A folder of templates can't be read; ``flaws`` says where, all at once."""

    code = "bad_folder"

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("\n".join(map(str, flaws)))
        self.flaws = tuple(flaws)


class Problem(msgspec.Struct, kw_only=True):
    """The body of an ``application/problem+json`` answer, as far as a program can use it."""

    title: str = ""
    detail: str = ""
    code: str = ""
    errors: list[Fault] = []
    error_count: int | None = None
    current_state: str | None = None
    remedy: str = ""


class ApiError(PagerError):
    """Pager answered with a problem. ``faults`` are the first hundred things that are wrong, ``count`` is how many."""

    def __init__(self, status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        headers = headers or {}
        detail = problem.detail or problem.title or f"the server answered {status}"
        super().__init__(detail, code=problem.code or f"http_{status}", remedy=problem.remedy)
        self.status = status
        self.title = problem.title
        self.faults = tuple(problem.errors)
        self.count = len(self.faults) if problem.error_count is None else problem.error_count
        self.current_state = problem.current_state
        self.request_id = headers.get("request-id")
        self.retry_after = headers.get("retry-after")


class BadRequest(ApiError):
    """The server could not read the request."""


class Unauthenticated(ApiError):
    """The key is missing, unknown, expired or revoked."""


class Forbidden(ApiError):
    """The key does not have the permission."""


class NotFound(ApiError):
    """There is no such thing, or it is not yours."""


class Conflict(ApiError):
    """It is not in a state that allows this (``current_state``), or something else stands in the way."""


class Gone(ApiError):
    """It existed, and can't be used any more."""


class Stale(ApiError):
    """Somebody else changed it in between."""


class TooLarge(ApiError):
    """A stated limit is exceeded."""


class Invalid(ApiError):
    """The request was understood, and something in it is wrong: see ``faults``."""


class NotSupportedYet(Invalid):
    """This is part of the interface, but the server does not have it yet."""


class TooMany(ApiError):
    """More requests than allowed; ``retry_after`` says when to ask again."""


class Unavailable(ApiError):
    """Pager can't do it now; asking again later can succeed."""


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Stale,
    413: TooLarge,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}


def problem_of(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error that an answer with this status means; a body that is no problem document is no obstacle."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(detail=_words(status, headers, body))
    kind = NotSupportedYet if problem.code == "not_supported_yet" else _BY_STATUS.get(status, ApiError)
    return kind(status, problem, headers)


def _words(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return a line about an answer that is not a problem document: a proxy's page, say, or another program's."""
    kind = headers.get("content-type", "").partition(";")[0].strip()
    line = body[:200].decode("utf-8", "replace").strip().splitlines()
    said = line[0] if line and kind == "text/plain" else f"{kind or 'nothing readable'}, not a problem document"
    return f"the server answered {status} ({said})"
