"""One call of the interface as a plan: a request, tried patiently, and its answer as one of the core's views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from pagerd.client.errors import NotPager, PagerError, problem_of
from pagerd.client.patience import REPEATABLE, Patience, patiently
from pagerd.client.steps import SILENCE, Course, Give, Plan, Reply, Request
from pagerd.core.views import Page

T = TypeVar("T")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Caller:
    """What may be asked for, with one patience."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def _call(self, answer: type[T], request: Request, *, repeatable: bool = False) -> Plan[T]:
        """Send ``request`` and return what it was answered with; a problem is raised as what it means."""
        reply = yield from self._reply(request, repeatable=repeatable)
        return read(reply, answer)

    def _reply(self, request: Request, *, repeatable: bool = False) -> Plan[Reply]:
        """Send ``request`` and return the answer as it came, if it is a good one."""
        can_repeat = repeatable or request.method in REPEATABLE or "idempotency-key" in request.headers
        reply = yield from patiently(request, self._patience, repeatable=can_repeat)
        if reply.status >= 300:
            raise problem_of(reply.status, reply.headers, reply.body)
        return reply

    def _page(self, item: type[T], path: str, query: Mapping[str, Any], cursor: str | None) -> Plan[Page[T]]:
        """Return one page of a list, the first without a ``cursor``."""
        request = Request(method="GET", path=path, query=plain({**query, "cursor": cursor}))
        return (yield from self._call(Page[item], request))  # type: ignore[valid-type]

    def _pages(self, item: type[T], path: str, query: Mapping[str, Any]) -> Course[T]:
        """Give every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = yield from self._page(item, path, query, cursor)
            for one in page.items:
                yield Give(one)
            cursor = page.next_cursor
            if cursor is None:
                return


def posted(
    path: str, body: Any = None, *, key: str | None = None, method: str = "POST", timeout: float = SILENCE
) -> Request:
    """Return a request that carries ``body`` as JSON, under an idempotency key if there is one."""
    headers = {"content-type": "application/json"} if body is not None else {}
    if key is not None:
        headers["idempotency-key"] = key
    content = b"" if body is None else encoded(body)
    return Request(method=method, path=path, headers=headers, body=content, timeout=timeout)


def encoded(body: Any) -> bytes:
    """Return ``body`` as JSON; decimals stay numbers, moments become RFC 3339."""
    return _ENCODER.encode(body)


def plain(query: dict[str, Any]) -> dict[str, str]:
    """Return a query without what was not given, as text."""
    return {name: str(value) for name, value in query.items() if value is not None}


def at(*parts: str | int) -> str:
    """Return the path of a thing: every part is quoted, so that no name leads elsewhere."""
    for part in parts:
        if part in {"", ".", ".."}:
            raise PagerError(f"{part!r} is no name", code="bad_name")
    return "/v1/" + "/".join(quote(str(part), safe="@") for part in parts)


def read(reply: Reply, answer: type[T]) -> T:
    """Return an answer's body as ``answer``; raise :class:`NotPager` for anything else."""
    try:
        return msgspec.json.decode(reply.body, type=answer)
    except msgspec.DecodeError as problem:
        raise NotPager(
            f"the server's answer can't be read ({problem})",
            remedy="is this address a Pager, and not older or newer than this program by years?",
        ) from problem
