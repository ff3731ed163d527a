"""What a route declares about itself: who may come in, what it takes, what it answers.

Every handler carries ``opt=needs(PERMISSION, …)`` or ``opt=public(…)``; :func:`check` stops the start of a server
that has a route with neither (security.md: deny by default). The documentation is made from the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from pagerd.core.errors import Misconfigured
from pagerd.guard.permissions import Permission

PERMISSIONS: Final = frozenset(permission.value for permission in Permission)


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What a route takes and answers, in the types that decode and encode it."""

    body: Any = None
    query: Any = None
    answer: Any = None
    media: str = "application/json"
    takes: tuple[str, ...] = ("application/json",)
    idempotent: bool = False
    changes: bool = False
    """Whether the thing's state can stand in the way (409, 410)."""
    tagged: bool = False
    """Whether an If-Match can be stale (412)."""
    also: dict[int, str] = {}
    """Further statuses that carry the same answer, and when."""


def needs(permission: str, door: Door | None = None) -> dict[str, Any]:
    """Let in whoever holds ``permission``."""
    return {"permission": permission, "door": door or Door()}


def public(door: Door | None = None) -> dict[str, Any]:
    """Let in everybody."""
    return {"public": True, "door": door or Door()}


def handlers(routes: Iterable[BaseRoute]) -> list[tuple[HTTPRoute, HTTPRouteHandler]]:
    """Return every route with every handler on it, those apart that only say which methods there are."""
    return [
        (route, handler)
        for route in routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.http_methods != {"OPTIONS"}
    ]


def check(routes: Iterable[BaseRoute]) -> None:
    """Raise :class:`Misconfigured` for a route that does not say who may come in."""
    routes = list(routes)
    for route in routes:
        if not isinstance(route, HTTPRoute):
            raise Misconfigured(f"{route.path} is no HTTP route: nobody could say who may come in")
    for route, handler in handlers(routes):
        permission, everybody = handler.opt.get("permission"), handler.opt.get("public")
        if (everybody is True) == isinstance(permission, str):
            methods = ", ".join(sorted(handler.http_methods))
            raise Misconfigured(f"{methods} {route.path} declares no permission (or a permission and public)")
        if isinstance(permission, str) and permission not in PERMISSIONS:
            raise Misconfigured(f"{route.path} asks for {permission!r}, which is no permission")
