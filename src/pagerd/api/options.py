"""``OPTIONS`` of every path: which methods it has (RFC 9110, section 9.3.7).

The framework answers by itself, but forgets the methods of handlers that came to a path after its first one.
"""

from __future__ import annotations

from collections.abc import Iterable

from litestar import route
from litestar.handlers import HTTPRouteHandler

from pagerd.api.answers import Reply
from pagerd.api.doors import public


def handlers(others: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Return a handler for each path of the others."""
    methods: dict[str, set[str]] = {}
    for handler in others:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    for found in methods.values():
        if "GET" in found:
            found.add("HEAD")
    return [_handler(path, ", ".join(sorted(found))) for path, found in methods.items()]


def _handler(path: str, allowed: str) -> HTTPRouteHandler:
    async def allow() -> Reply:
        """Say which methods there are."""
        return Reply(status_code=204, headers={"allow": allowed})

    return route(path, http_method="OPTIONS", status_code=200, opt=public(), include_in_schema=False)(allow)
