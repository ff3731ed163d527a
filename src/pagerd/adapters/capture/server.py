"""The SMTP capture server: listens, takes every mail that the rules allow, sends it nowhere. For development only.

It speaks plain SMTP (no TLS, no AUTH) and should listen on a loopback address. Which recipients it refuses, and
how, stands in :mod:`pagerd.adapters.capture.rules`; what it understands in :mod:`pagerd.adapters.capture.dialogue`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol, cast

from pagerd.adapters.capture.dialogue import SIZE_LIMIT, Dialogue, Domain
from pagerd.adapters.capture.rules import RULES, Rule, Rules

CONNECTION_LIMIT: Final = 2000

IDLE_LIMIT: Final = 300.0
"""Seconds of silence before a connection is closed (RFC 5321, section 4.5.3.2.7)."""

_READ: Final = 256 * 1024
_BUSY: Final = b"421 4.3.2 Too many connections\r\n"
_IDLE: Final = b"421 4.4.2 You have been silent for too long\r\n"
_CLOSING: Final = b"421 4.3.2 The server is closing\r\n"


class Receiver(Protocol):
    """Takes whole mails."""

    def deliver(self, sender: bytes, recipients: list[bytes], mail: bytes) -> bytes:
        """Keep a mail, and return the name it is kept under; raise :class:`OSError` where it can't be kept."""
        ...


class CaptureServer:
    """An SMTP server on ``host``:``port`` (0: any free one) that hands every mail to ``mailbox``."""

    def __init__(
        self,
        mailbox: Receiver,
        *,
        refuse: Mapping[str, Rule] = RULES,
        host: str = "127.0.0.1",
        port: int = 1025,
        size_limit: int = SIZE_LIMIT,
        idle: float = IDLE_LIMIT,
        connections: int = CONNECTION_LIMIT,
    ) -> None:
        self.domain = Domain(mailbox.deliver, Rules(refuse), size_limit)
        self.host = host
        self.port = port
        self.idle = idle
        self.open: set[_Connection] = set()
        # One buffer for all: a loop asks for it, fills it and reports back without running anything in between.
        self.buffer = memoryview(bytearray(_READ))
        self._connections = connections
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen; from then on ``port`` is the real one. Raise :class:`OSError` where it can't be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweep_later(loop)

    async def aclose(self) -> None:
        """Stop listening and close every connection; a mail that is not whole is dropped. Twice is harmless."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        gone = [connection.gone for connection in self.open]
        for connection in list(self.open):
            connection.hang_up(_CLOSING)
        if gone:
            await asyncio.wait(gone, timeout=5)
        await server.wait_closed()

    def is_full(self) -> bool:
        """Tell whether as many clients as allowed are here."""
        return len(self.open) >= self._connections

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for silent clients ten times per idle limit: far cheaper than a timer for each mail."""
        self._sweep = loop.call_later(self.idle / 10, self._close_idle, loop)

    def _close_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest = loop.time() - self.idle
        for connection in [c for c in self.open if c.heard_at < oldest]:
            connection.hang_up(_IDLE)
        self._sweep_later(loop)


class _Connection(asyncio.BufferedProtocol):
    """One client's socket: moves bytes between it and its dialogue."""

    _transport: asyncio.Transport

    def __init__(self, server: CaptureServer) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.heard_at = loop.time()
        self._time = loop.time
        self._server = server
        self._buffer = server.buffer
        self._dialogue = Dialogue(server.domain)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or send it away when too many are here."""
        self._transport = cast("asyncio.Transport", transport)
        if self._server.is_full():
            self.hang_up(_BUSY)
            return
        self._server.open.add(self)
        self._transport.write(self._dialogue.greeting)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; a mail that is not whole was never promised."""
        del exc
        self._server.open.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read into."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read, and answer."""
        self.heard_at = self._time()
        replies = self._dialogue.feed(bytes(self._buffer[:nbytes]))
        if replies:
            self._transport.write(replies)
        if self._dialogue.closed:
            self._transport.close()

    def eof_received(self) -> bool:
        """Close too: a client that has hung up reads no answers."""
        return False

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def hang_up(self, farewell: bytes) -> None:
        """Say a last line and close; a client that does not even read its answers hears nothing more."""
        self._dialogue.closed = True
        if self._transport.get_write_buffer_size():
            self._transport.abort()
            return
        self._transport.write(farewell)
        self._transport.close()
