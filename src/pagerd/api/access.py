"""Who may come in: the guard of every route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from pagerd.api.calls import Call
from pagerd.api.doors import PERMISSIONS
from pagerd.api.stages import Stages
from pagerd.api.verbs import Principal
from pagerd.core.errors import Forbidden

_INCLUDED = {"recipient.read_masked": "recipient.read_pii", "session.read": "session.read_all"}
"""A permission, and the wider one that includes it."""


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request through to a public route, or to one whose permission its key has."""
    permission = handler.opt.get("permission")
    if handler.opt.get("public") is True:
        return
    if permission is None:
        raise Forbidden
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


def not_wider(principal: Principal, scopes: Iterable[str]) -> None:
    """Raise :class:`Forbidden` for ``scopes`` beyond the principal's own: nobody hands out what is not theirs."""
    wider = sorted(PERMISSIONS & set(scopes) - set(principal.scopes))
    if wider:
        raise Forbidden(f"The key does not have what it wants to hand out: {', '.join(wider)}.", code="scope_too_wide")
