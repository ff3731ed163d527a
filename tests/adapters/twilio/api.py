"""A small HTTP server that speaks Twilio's Messages resource, and behaves as a test tells it to, number by number."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from aiohttp import web

ACCOUNT = "AC" + "0" * 32
TOKEN = "token"

Way = Callable[[web.Request], Any]


class SmsApi:
    """Takes every message but those to numbers that have a way of their own; remembers whom it told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.requests: list[web.Request] = []
        self.ways: dict[str, Way] = {}
        self.under_way = 0
        self.most_under_way = 0
        self.came = asyncio.Event()
        self.release = asyncio.Event()
        self.release.set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on any free port of this machine."""
        app = web.Application()
        app.router.add_post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self._message)
        app.router.add_get(f"/2010-04-01/Accounts/{ACCOUNT}.json", self._account)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def aclose(self) -> None:
        """Stop listening and leave everybody."""
        self.release.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _account(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return self._stranger(request) or web.json_response({"sid": ACCOUNT, "status": "active"})

    async def _message(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(request)
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.came.set()
        await self.release.wait()
        if (refused := self._stranger(request)) is not None:
            return refused
        way = self.ways.get(form["To"])
        answer = None if way is None else way(request)
        if answer is None or answer == "lost":
            self.forms.append(form)
            self.told.append(form["To"])
        if answer in ("lost", "broken"):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer or taken(len(self.told))

    def _stranger(self, request: web.Request) -> web.Response | None:
        wanted = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") == f"Basic {wanted}":
            return None
        return refusal(401, 20003, "Authenticate")


def taken(number: int) -> web.Response:
    """The answer to a message that was taken."""
    return web.json_response({"sid": f"SM{number:032x}", "status": "queued", "error_code": None}, status=201)


def refusal(status: int, code: int, message: str = "no", **headers: str) -> web.Response:
    """The answer to one that was not."""
    return web.json_response({"code": code, "message": message, "status": status}, status=status, headers=headers)


def says(status: int, code: int = 0, **headers: str) -> Way:
    """A way that answers with a status and code."""
    return lambda _: refusal(status, code, **headers)


def loses(_: web.Request) -> str:
    """The way of one that is taken, and never said so."""
    return "lost"


def breaks(_: web.Request) -> str:
    """The way of a connection that breaks though nothing was taken."""
    return "broken"
