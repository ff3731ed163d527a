"""One connection: bytes in, replies out, and a script driven by them without a task switch per message.

A :class:`asyncio.BufferedProtocol`, so that a read costs no 256 KB allocation under plain asyncio; the same code runs
on uvloop. The script's next step is written from inside the read callback.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from pagerd.adapters.smtp.replies import Garbage, Reply, ReplyReader, words_of
from pagerd.adapters.smtp.script import Broken, Script

BUFFER = 8192


class Wire(asyncio.BufferedProtocol):
    """A connection to a mail server that runs one script at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        """Wait ``patience`` seconds for the greeting, from the moment of the connection on."""
        self.gone: asyncio.Future[None] = loop.create_future()
        self.on_idle_loss: Callable[[], None] | None = None
        self.lost = ""
        self._loop = loop
        self._patience = patience
        self._greeting: list[Reply] = []
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(BUFFER))
        self._reader = ReplyReader()
        self._script: Script | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._end: Exception | None = None
        self._replies: list[Reply] = []
        self._want = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # what the provider calls

    @property
    def busy(self) -> bool:
        """Whether a script is under way."""
        return self._script is not None

    async def run(self, script: Script) -> None:
        """Drive a script to its end; raise what it raises. Cancelled, the script goes on: wait again, or break it."""
        if self._script is not None:
            raise RuntimeError("a script is running")
        self._script = script
        self._end = None
        self._advance(None)
        await self.wait()

    async def wait(self) -> None:
        """Return when the script under way has ended; raise what it raised."""
        while self._script is not None:
            self._waiter = self._loop.create_future()
            await self._waiter
        end, self._end = self._end, None
        if end is not None:
            raise end

    async def greeting(self) -> Reply:
        """Return what the peer said first; raise :class:`Broken` where it said nothing."""
        await self.wait()
        return self._greeting[0]

    async def ask(self, command: bytes, seconds: float) -> Reply:
        """Write a command (or nothing), return the one reply; raise :class:`Broken` where none comes."""
        heard: list[Reply] = []
        await self.run(_asking(command, seconds, heard))
        return heard[0]

    async def start_tls(self, context: ssl.SSLContext, name: str, seconds: float) -> None:
        """Go on encrypted. What the peer said before is an injection (CVE-2011-0411) and breaks the connection."""
        if self._reader.midway and not self.lost:
            self.break_("tls_injection", "the peer spoke between STARTTLS and TLS")
        transport = self._transport
        if transport is None or self.lost:
            raise Broken(self.lost or "connection_lost")
        try:
            self._transport = await self._loop.start_tls(
                transport, self, context, server_hostname=name, ssl_handshake_timeout=seconds
            )
        except BaseException:
            transport.abort()
            raise

    def fact(self, name: str) -> object:
        """Return what the transport knows: ``peername``, ``sockname``, ``ssl_object``."""
        return self._transport.get_extra_info(name) if self._transport else None

    def quit(self) -> None:
        """Say goodbye and close; what the peer answers is not waited for."""
        if self._transport is not None and not self.lost:
            self.lost = "closed"
            self._no_timer()
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    def abort(self) -> None:
        """Close without a word."""
        if not self.lost:
            self.break_("closed")
        if self._transport is not None:
            self._transport.abort()

    def break_(self, code: str, text: str = "", *, believe: bool = True, by_reply: bool = False) -> None:
        """Close at once; a script under way is thrown :class:`Broken`, with the replies read so far if they count."""
        replies = self._replies if believe else []
        self._replies = []
        self._no_timer()
        if not self.lost:
            self.lost = code
            if self._transport is not None:
                self._transport.abort()
        if self._script is not None:
            self._throw(Broken(code, text, replies, by_reply=by_reply))
        elif self.on_idle_loss is not None:
            self.on_idle_loss()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Listen to the greeting, which may come before anybody asks for it."""
        self._transport = cast("asyncio.Transport", transport)
        self._script = _asking(b"", self._patience, self._greeting)
        self._advance(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the script under way."""
        if not self.gone.done():
            self.gone.set_result(None)
        if not self.lost:
            self.break_("connection_lost", type(exc).__name__ if exc else "closed by the peer")

    def eof_received(self) -> bool:
        """Take a half-closed connection as closed: a server that says nothing more is of no use."""
        if not self.lost:
            self.break_("connection_lost", "closed by the peer")
        return False

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        """Return the one buffer; what is in it is copied out before the next read."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read replies; when the step has all of its own, take the next one."""
        if self.lost:
            return
        replies = self._replies
        try:
            goodbye = self._reader.feed(bytes(self._buffer[:nbytes]), replies)
        except Garbage as garbage:
            self.break_("bad_reply", str(garbage))
            return
        count = len(replies)
        if goodbye or count > self._want:
            self._odd(goodbye)
        elif count and count == self._want:
            self._replies = []
            self._advance(replies)

    # inside

    def _odd(self, goodbye: bool) -> None:
        """End the connection for a 421, or for more replies than there were commands, which can't be told apart."""
        if self._script is None:
            self.break_("connection_lost", words_of(self._replies[-1]))
        elif goodbye and len(self._replies) <= self._want:
            self.break_("421", words_of(self._replies[-1]), by_reply=True)
        else:
            self.break_("bad_reply", "more replies than commands", believe=False)

    def _advance(self, replies: list[Reply] | None) -> None:
        """Give the script its replies and write what it says next."""
        script = self._script
        if script is None:
            return
        if self.lost:
            self._throw(Broken(self.lost))
            return
        try:
            data, self._want, seconds = script.send(replies) if replies is not None else next(script)
        except Exception as end:  # noqa: BLE001 - whoever waits for the script gets it
            self._ended(end)
            return
        self._arm(seconds)
        if data and self._transport is not None:
            self._transport.write(data)

    def _throw(self, broken: Broken) -> None:
        """Throw the end of the connection into the script, which ends of it."""
        script = self._script
        if script is None:
            return
        try:
            script.throw(broken)
        except Exception as end:  # noqa: BLE001 - whoever waits for the script gets it
            self._ended(end)
        else:
            script.close()
            self._ended(RuntimeError("a script went on without a connection"))

    def _ended(self, end: Exception) -> None:
        """Wake whoever waits for the script."""
        self._script = None
        self._want = 0
        self._end = None if isinstance(end, StopIteration) else end
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def _arm(self, seconds: float) -> None:
        """Set the step's deadline. The timer only ever moves when it would be late: a step costs no timer."""
        self._due = due = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > due:
            self._no_timer()
            self._timer = self._loop.call_at(due, self._tick)

    def _no_timer(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """Break a step that is past its deadline; else look again when it will be."""
        self._timer = None
        if self._script is None:
            return
        if self._loop.time() >= self._due - 0.001:
            self.break_("timeout", "no reply in time")
        else:
            self._timer = self._loop.call_at(self._due, self._tick)


def _asking(command: bytes, seconds: float, into: list[Reply]) -> Script:
    """Write one command, read one reply; a 421 is one too."""
    try:
        into += yield command, 1, seconds
    except Broken as broken:
        if not broken.by_reply:
            raise
        into += broken.replies
