"""The server itself: whether it is there and well, and what time it has."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pagerd.client.calls import read
from pagerd.client.errors import problem_of
from pagerd.client.face import F, Faced, operation
from pagerd.client.patience import moment
from pagerd.client.steps import Plan, Request, ask


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the server needs. ``detail`` and ``remedy`` are only told to keys that may know."""

    name: str
    ok: bool
    detail: str = ""
    remedy: str = ""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server can serve requests, and each dependency by name; ``time`` is the server's clock."""

    ready: bool
    checks: list[Dependency]
    time: datetime | None = None


class ServerItself(Faced[F]):
    """What a server says about itself. Asked once, without patience: the question is how it is now."""

    @operation
    def ready(self) -> Plan[Readiness]:
        """Return whether the server can serve requests; that it can't is an answer, no error."""
        reply = yield from ask(Request(method="GET", path="/readyz", timeout=10.0))
        if reply.status not in {200, 503}:
            raise problem_of(reply.status, reply.headers, reply.body)
        return msgspec.structs.replace(read(reply, Readiness), time=moment(reply.headers.get("date", "")))

    @operation
    def key_is_good(self) -> Plan[None]:
        """Return nothing if the server knows the key; raise what it says otherwise."""
        reply = yield from ask(Request(method="GET", path="/v1/sessions", query={"limit": "1"}, timeout=10.0))
        if reply.status not in {200, 403}:
            raise problem_of(reply.status, reply.headers, reply.body)
