"""Who may come in: the guard of every route."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from pagerd.api.calls import Call
from pagerd.api.stages import Principal, Stages
from pagerd.core.errors import Forbidden

_INCLUDED = {"recipient.read_masked": "recipient.read_pii", "session.read": "session.read_all"}
"""A permission, and the wider one that includes it."""


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request through to a public route, or to one whose permission its key has."""
    if handler.opt.get("public") is True:
        return
    permission = handler.opt["permission"]
    stages: Stages = connection.app.state["stages"]
    principal = await identify(connection, stages)
    require(principal, permission)
    connection.scope["user"] = principal


async def identify(connection: ASGIConnection[Any, Any, Any, Any], stages: Stages) -> Principal:
    """Return whom the request's key stands for; raise :class:`~pagerd.core.errors.Unauthenticated`."""
    sent = next((value for name, value in connection.scope["headers"] if name == b"authorization"), None)
    return await stages.keys.authenticate(sent.decode("latin-1") if sent is not None else None)


def require(principal: Principal, permission: str) -> None:
    """Raise :class:`Forbidden` unless the principal has ``permission``, or a wider one."""
    if permission not in principal.scopes and _INCLUDED.get(permission) not in principal.scopes:
        raise Forbidden(f"This needs the permission {permission}, which the key does not have.")


def also(call: Call, permission: str) -> None:
    """Demand a second permission, for what goes beyond the route's own."""
    require(call.user, permission)
