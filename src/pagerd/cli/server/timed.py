"""Time limits for whoever sends: nobody holds a connection, or a request's task, by sending a byte now and then.

uvicorn limits how long a connection idles *between* requests, and nothing else. Here the headers of a request, from
the connection's or the request's first moment, and each silence within a body have limits, too; who exceeds one gets
408 where that can still be said, and the connection is closed: the request's task sees a client that went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TIMEOUT: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: all headers of a request together, and a silence within its body."""

    headers: float = 10.0
    silence: float = 30.0


def timed(limits: Limits) -> Callable[..., asyncio.Protocol]:
    """Return what makes the protocol of each connection, for ``uvicorn.Config(http=…)``."""

    class Timed(_TimedProtocol):
        _limits = limits

    return Timed


class _TimedProtocol(HttpToolsProtocol):
    _limits: Limits
    _timer: asyncio.TimerHandle | None = None
    _in_body = False
    _heard = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take note that something was heard."""
        self._heard = self.loop.time()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of this request, unless that is so since the connection was made."""
        super().on_message_begin()
        if self._timer is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        super().on_headers_complete()
        self._stop()
        self._in_body = True
        self._timer = self.loop.call_later(self._limits.silence, self._look)

    def on_message_complete(self) -> None:
        """Wait for nothing: now it is our turn."""
        self._stop()
        super().on_message_complete()

    def _wait_for_headers(self) -> None:
        self._in_body = False
        self._timer = self.loop.call_later(self._limits.headers, self._end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """End the connection if nothing was heard for too long, and it was not we who stopped listening."""
        now = self.loop.time()
        if self.flow.read_paused:
            self._heard = now
        left = self._heard + self._limits.silence - now
        if left <= 0:
            self._end()
        else:
            self._timer = self.loop.call_later(left, self._look)

    def _end(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or (self._in_body and not cycle.response_started):
            self.transport.write(_TIMEOUT)
        self.transport.close()
