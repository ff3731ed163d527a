"""Proving who we are: AUTH PLAIN (RFC 4616) and LOGIN, and never in clear across a network (RFC 4954)."""

from __future__ import annotations

import base64

from pagerd.adapters.smtp.classes import Phase
from pagerd.adapters.smtp.refusal import Refusal
from pagerd.adapters.smtp.replies import Reply
from pagerd.adapters.smtp.settings import Login
from pagerd.adapters.smtp.wire import Wire

_LINE: int = 510
"""RFC 4954, section 4: a longer initial response goes on a line of its own."""


async def authenticate(wire: Wire, login: Login, offered: frozenset[str], seconds: float) -> None:
    """Return when the peer accepted the login; raise :class:`Refusal` if it did not."""
    if "PLAIN" in offered:
        reply = await _plain(wire, login, seconds)
    elif "LOGIN" in offered:
        reply = await _login(wire, login, seconds)
    elif offered:
        raise Refusal.local("auth_unsupported", f"the peer knows none but {', '.join(sorted(offered))[:200]}")
    else:
        raise Refusal.local("auth_missing", "there is a credential, but the peer offers no AUTH")
    if not reply.startswith(b"235"):
        raise Refusal.of(Phase.AUTH, reply)


async def _plain(wire: Wire, login: Login, seconds: float) -> Reply:
    """Say user and password in one response."""
    response = base64.b64encode(f"\0{login.user}\0{login.password}".encode())
    command = b"AUTH PLAIN " + response
    if len(command) <= _LINE:
        return await wire.ask(command + b"\r\n", seconds)
    reply = await wire.ask(b"AUTH PLAIN\r\n", seconds)
    return await wire.ask(response + b"\r\n", seconds) if reply.startswith(b"334") else reply


async def _login(wire: Wire, login: Login, seconds: float) -> Reply:
    """Say user and password one after the other, each when asked."""
    reply = await wire.ask(b"AUTH LOGIN\r\n", seconds)
    for secret in (login.user, login.password):
        if not reply.startswith(b"334"):
            return reply
        reply = await wire.ask(base64.b64encode(secret.encode()) + b"\r\n", seconds)
    return reply
