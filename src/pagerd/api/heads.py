"""``HEAD`` of every path that has ``GET``: the same answer without its body (RFC 9110, section 9.3.2)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send


def with_heads(app: ASGIApp) -> ASGIApp:
    """Return ``app``, which answers HEAD as it would GET; an answer that streams is not waited for."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "HEAD":
            await _answer(app, cast("HTTPScope", {**scope, "method": "GET"}), receive, send)
        else:
            await app(scope, receive, send)

    return answer


async def _answer(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    begun = asyncio.Event()

    async def without_body(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            begun.set()

    async def get() -> None:
        await app(scope, receive, without_body)

    getting = asyncio.create_task(get())
    beginning = asyncio.create_task(begun.wait())
    try:
        await asyncio.wait((getting, beginning), return_when=asyncio.FIRST_COMPLETED)
        if begun.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        beginning.cancel()
        getting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await getting
