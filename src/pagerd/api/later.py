"""Resources that the interface names and that are not built yet: they answer 422 ``not_supported_yet``, not silence."""

from __future__ import annotations

from typing import Final, Literal

from litestar import route
from litestar.handlers import HTTPRouteHandler

from pagerd.api.answers import Reply
from pagerd.api.doors import needs
from pagerd.core.errors import NotSupportedYet

_COLLECTIONS: Final = (
    "suppressions",
    "webhooks",
    "routes",
    "audiences",
    "users",
    "roles",
    "workspaces",
    "audit",
)
_PATHS: Final[list[tuple[Literal["GET", "POST"], str]]] = [
    ("GET", "/v1/sessions/{session_id:str}/not-told.csv"),
    ("POST", "/v1/templates/{name:str}/test"),
    *((method, f"/v1/{name}") for name in _COLLECTIONS for method in ("GET", "POST")),
]


async def _not_yet() -> Reply:
    """Answer that this is part of the interface, and not built yet."""
    raise NotSupportedYet


def handlers() -> list[HTTPRouteHandler]:
    """Return a handler for each."""
    opt = needs("session.read")
    return [route(path, http_method=[method], opt=opt, include_in_schema=False)(_not_yet) for method, path in _PATHS]
