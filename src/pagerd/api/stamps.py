"""What stands on every answer: its Request-Id, and headers that make browsers careful."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from litestar.types import Message, Scope

from pagerd.api.stages import Stages

_SANE: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

_CAREFUL: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Handlers that answer pages say these themselves."""


def request_id(scope: Scope) -> str:
    """Return the request's id: the one it came with, if that is sane, else a new one."""
    state: dict[str, Any] = scope["state"]
    known = state.get("request_id")
    if known is None:
        known = state["request_id"] = _own(scope) or _new(scope)
    return cast("str", known)


def _own(scope: Scope) -> str | None:
    sent = next((value for name, value in scope["headers"] if name == b"request-id"), None)
    return sent.decode("ascii") if sent and _SANE.fullmatch(sent) else None


def _new(scope: Scope) -> str:
    stages: Stages = scope["litestar_app"].state["stages"]
    return stages.settings.new_request_id()


async def stamp(message: Message, scope: Scope) -> None:
    """Add the headers to an answer that is about to start."""
    if message["type"] != "http.response.start":
        return
    headers = cast("list[tuple[bytes, bytes]]", message["headers"])
    said = {name for name, _ in headers}
    headers += [pair for pair in _UNLESS_SAID if pair[0] not in said]
    headers += _CAREFUL
    headers.append((b"request-id", request_id(scope).encode()))
