"""What both drivers share: whom they ask, how a plan goes on, and how the HTTP library's failures are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from pagerd import __version__
from pagerd.client.errors import NotConfigured, Unreachable
from pagerd.client.steps import Course, Give, Plan, Reply, Request, Step

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
CONNECT_SECONDS: Final = 5.0


class Server:
    """Whom to ask: an address and a key, both checked; the key shows in no representation."""

    __slots__ = ("key", "url")

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotConfigured(f"{url!r} is not the address of a server", remedy="write it like http://127.0.0.1:8400")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise NotConfigured(f"the address of the server is more than scheme, host and path: {parts.hostname}")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise NotConfigured("the key holds characters that no key has", remedy="look at the key file")
        self.url = url.rstrip("/")
        self.key = key

    @property
    def live(self) -> bool:
        """Whether the key tells real people. A key of unknown form is taken to."""
        return not self.key.startswith("pgr_test_")

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return urlsplit(self.url).hostname in LOOPBACK

    def __repr__(self) -> str:
        return f"Server({self.url!r})"


class Failed(msgspec.Struct, frozen=True):
    """A step failed; the plan may know what to do about it."""

    failure: Exception


class Done(msgspec.Struct, frozen=True):
    """A plan has come to its end with this result."""

    result: Any


def resumed(plan: Plan[Any] | Course[Any], answer: object) -> Step | Give[Any] | Done:
    """Let a plan go on with what its last step brought (a failure is raised in it); return what it wants next."""
    try:
        return plan.throw(answer.failure) if isinstance(answer, Failed) else plan.send(answer)
    except StopIteration as end:
        return Done(end.value)


def settings(server: Server) -> dict[str, Any]:
    """Return the keyword arguments of the HTTP library's clients. Proxies of the environment are not for loopback."""
    return {
        "base_url": server.url,
        "headers": {
            "authorization": f"Bearer {server.key}",
            "user-agent": f"pagerd-client/{__version__}",
            "accept": "application/json",
        },
        "trust_env": not server.loopback,
        "verify": server.url.startswith("https:"),
        "follow_redirects": False,
    }


def wanted(request: Request) -> dict[str, Any]:
    """Return the keyword arguments that describe ``request`` to the HTTP library."""
    import httpx2

    return {
        "method": request.method,
        "url": request.path,
        "params": request.query or None,
        "headers": request.headers,
        "content": request.body or None,
        "timeout": httpx2.Timeout(request.timeout, connect=CONNECT_SECONDS),
    }


def is_stream(reply: Reply) -> bool:
    """Tell whether an answer is a stream of events."""
    return reply.status == 200 and reply.headers.get("content-type", "").startswith("text/event-stream")


@contextmanager
def translated(server: Server) -> Iterator[None]:
    """Turn the HTTP library's failures into :class:`Unreachable`, which knows whether the request may have arrived."""
    import httpx2

    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as problem:
        raise Unreachable(
            f"nothing answers at {server.url} ({_reason(problem)})",
            sent=False,
            remedy="start it (`pagerd dev`), or check the address (`--url`, PAGERCTL_URL)",
        ) from problem
    except httpx2.TimeoutException as problem:
        raise Unreachable(f"{server.url} did not answer in time", sent=True) from problem
    except httpx2.RequestError as problem:
        raise Unreachable(f"{server.url} broke off ({_reason(problem)})", sent=True) from problem


def _reason(problem: Exception) -> str:
    """Return the HTTP library's words, or at least the failure's name."""
    return str(problem) or type(problem).__name__
