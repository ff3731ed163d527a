"""Errors on the wire: problem details (RFC 9457), one table from class to status, and nothing of our inside."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from pagerd.api.error_pages import title_of
from pagerd.api.refusals import Disconnected, Stale, UnsupportedMedia
from pagerd.api.stamps import request_id
from pagerd.core import errors
from pagerd.core.errors import Fault, PagerError

MEDIA: Final = "application/problem+json"

STATUS: Final[dict[type[Exception], int]] = {
    errors.Malformed: 400,
    Disconnected: 400,
    errors.Refused: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Missing: 404,
    errors.WrongState: 409,
    errors.Conflict: 409,
    errors.Gone: 410,
    Stale: 412,
    errors.TooLarge: 413,
    UnsupportedMedia: 415,
    errors.Invalid: 422,
    errors.NotSupportedYet: 422,
    errors.Unavailable: 503,
}
"""Which status an error has; everything else, :class:`~pagerd.core.errors.Broken` too, is 500."""

_FRAMEWORK: Final = {
    400: "malformed_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "unavailable",
}
"""The codes of what the framework refuses before a handler is asked."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused: ``type`` leads to a page about ``code``; ``errors`` are the first hundred faults."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    current_state: str | None = None
    remedy: str | None = None
    errors: list[Fault] | None = None
    error_count: int | None = None


def status_of(error: Exception) -> int:
    """Return the status of an error: its own class's, or the nearest ancestor's."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def refused(request: Request[Any, Any, Any], error: PagerError) -> Response[bytes]:
    """Answer an error of ours."""
    status = status_of(error)
    if status >= 500 and not isinstance(error, errors.Unavailable):
        return unexpected(request, error)
    faults = list(getattr(error, "faults", ())) or None
    problem = Problem(
        type=_page(error.code),
        title=title_of(error.code),
        status=status,
        detail=error.detail,
        code=error.code,
        current_state=getattr(error, "current", None),
        remedy=error.remedy or None,
        errors=faults,
        error_count=getattr(error, "count", len(faults)) if faults else None,
    )
    return _response(problem, _headers(request, error, status))


def framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused: no such route, no such method, a request that is none."""
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return refused(request, errors.Invalid(faults=[_of_parameter(one) for one in error.extra]))
    code = _FRAMEWORK.get(error.status_code)
    if code is None:
        return unexpected(request, error)
    detail = {403: error.detail, 404: "There is nothing at this address."}.get(error.status_code, title_of(code))
    problem = Problem(type=_page(code), title=title_of(code), status=error.status_code, detail=detail, code=code)
    return _response(problem, {name.lower(): value for name, value in (error.headers or {}).items()})


def _of_parameter(said: dict[str, Any]) -> Fault:
    """Return what the framework says about a parameter that it checked itself (the inbox's)."""
    return Fault(code="field_type", detail=f"?{said.get('key', '')}= {said.get('message', '')}")


def too_deep(request: Request[Any, Any, Any], _: RecursionError) -> Response[bytes]:
    """Answer an input that nests too deep for whoever had to follow it."""
    return refused(request, errors.Malformed("The body nests objects and lists too deep.", code="too_deep"))


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what should not have happened: without a word of our inside, which the log has under the same id."""
    number = request_id(request.scope)
    _log(request, error, number)
    problem = Problem(
        type=_page("internal"),
        title=title_of("internal"),
        status=500,
        detail=f"Something in Pager is broken. Its log tells more under the request id {number}.",
        code="internal",
    )
    return _response(problem, {})


def _log(request: Request[Any, Any, Any], error: Exception, number: str) -> None:
    """Write down what broke and where, but not its words: they may hold an address."""
    import structlog

    frames = traceback.extract_tb(error.__traceback__)[-8:]
    structlog.get_logger("pagerd.api").error(
        "unexpected",
        request_id=number,
        method=request.scope["method"],
        route=request.scope.get("path_template", ""),
        error=type(error).__qualname__,
        code=getattr(error, "code", None),
        frames=[f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    )


def _page(code: str) -> str:
    return f"/docs/errors/{code}"


def _headers(request: Request[Any, Any, Any], error: PagerError, status: int) -> dict[str, str]:
    """Return what the standards add to a status: RFC 6750 section 3, RFC 9110 sections 10.2.3 and 15.5.16."""
    headers: dict[str, str] = {}
    if status == 401:
        sent = any(name == b"authorization" for name, _ in request.scope["headers"])
        headers["www-authenticate"] = 'Bearer realm="pager"' + (', error="invalid_token"' if sent else "")
    elif status == 403:
        scope = request.scope["route_handler"].opt.get("permission", "")
        headers["www-authenticate"] = f'Bearer realm="pager", error="insufficient_scope", scope="{scope}"'
    elif isinstance(error, UnsupportedMedia):
        offered = {"accept": error.accept, "accept-encoding": error.accept_encoding}
        headers.update({name: value for name, value in offered.items() if value})
    if (wait := getattr(error, "retry_after", None)) is not None:
        headers["retry-after"] = str(wait)
    return headers


def _response(problem: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA, headers=headers)
