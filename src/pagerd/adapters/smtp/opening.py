"""From nothing to a connection that can carry mail: connect, greeting, EHLO, TLS, AUTH; each with its own failure."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cached_property
from typing import Final

from pagerd.adapters.smtp import abilities
from pagerd.adapters.smtp.abilities import Abilities
from pagerd.adapters.smtp.auth import authenticate
from pagerd.adapters.smtp.classes import Phase
from pagerd.adapters.smtp.refusal import Refusal
from pagerd.adapters.smtp.script import Broken
from pagerd.adapters.smtp.settings import Peer, SmtpSettings, is_loopback
from pagerd.adapters.smtp.wire import Wire

_GOODBYE: Final = 1.0
"""Seconds that a peer gets to answer a goodbye."""


class Opener:
    """Opens connections to one peer."""

    def __init__(self, peer: Peer, settings: SmtpSettings) -> None:
        self._peer = peer
        self._settings = settings

    async def open(self) -> tuple[Wire, Abilities]:
        """Return a connection that is ready for MAIL, and what its peer can do; raise :class:`Refusal` if none is had.

        Cancelled, it leaves nothing open.
        """
        wire = await self._connect()
        try:
            return wire, await self._make_ready(wire)
        except Refusal:
            await _part(wire)
            raise
        except Broken as broken:
            raise Refusal.local(broken.code, broken.text) from broken
        except (ssl.SSLError, OSError) as error:
            wire.abort()
            raise _told(error) from error
        except BaseException:
            wire.abort()
            raise

    async def _connect(self) -> Wire:
        """Return a connection, encrypted from the first byte where the URL says so."""
        loop = asyncio.get_running_loop()
        peer, seconds = self._peer, self._settings.connect_timeout
        patience = self._settings.greeting_timeout
        tls = self._context if peer.implicit else None
        try:
            async with asyncio.timeout(seconds):
                _, wire = await loop.create_connection(
                    lambda: Wire(loop, patience),
                    peer.host,
                    peer.port,
                    ssl=tls,
                    server_hostname=peer.host if tls else None,
                )
        except TimeoutError as error:
            raise Refusal.local("connect_failed", f"no connection within {seconds:g} s") from error
        except UnicodeError as error:
            raise Refusal.local("dns_failed", "not a host name") from error
        except (ssl.SSLError, OSError) as error:
            raise _told(error, "connect_failed") from error
        return wire

    async def _make_ready(self, wire: Wire) -> Abilities:
        """Speak up to the point where mail may follow."""
        settings = self._settings
        greeting = await wire.greeting()
        if not greeting.startswith(b"220"):
            raise Refusal.of(Phase.GREETING, greeting)
        offers = await self._hello(wire)
        if self._wants_tls(wire, offers):
            await self._start_tls(wire)
            offers = await self._hello(wire)
        if self._peer.login is not None:
            if not (self._encrypted(wire) or _nearby(wire)):
                raise Refusal.local("tls_missing", "the peer offers no TLS, and a password does not leave in clear")
            await authenticate(wire, self._peer.login, offers.auth, settings.command_timeout)
        return offers

    async def _hello(self, wire: Wire) -> Abilities:
        """Say EHLO, or HELO to a peer that does not know it (RFC 5321, section 4.1.4); return what is offered."""
        name = (self._settings.helo or _own_name(wire)).encode("ascii")
        reply = await wire.ask(b"EHLO " + name + b"\r\n", self._settings.command_timeout)
        if reply.startswith(b"250"):
            return abilities.of_ehlo(reply)
        if reply[:3] in (b"500", b"502", b"504"):
            reply = await wire.ask(b"HELO " + name + b"\r\n", self._settings.command_timeout)
            if reply.startswith(b"250"):
                return abilities.NONE
        raise Refusal.of(Phase.HELLO, reply)

    def _wants_tls(self, wire: Wire, offers: Abilities) -> bool:
        """Tell whether STARTTLS comes next; raise :class:`Refusal` where it must and is not offered."""
        mode = self._peer.tls
        if self._peer.implicit or mode == "off":
            return False
        if mode == "required":
            if not offers.starttls:
                raise Refusal.local("tls_missing", "TLS is required, and the peer does not offer STARTTLS")
            return True
        needs_it = self._peer.login is not None and not offers.auth
        return offers.starttls and (needs_it or not _nearby(wire))

    async def _start_tls(self, wire: Wire) -> None:
        """Encrypt the connection (RFC 3207); all that the peer said in clear is forgotten."""
        try:
            reply = await wire.ask(b"STARTTLS\r\n", self._settings.command_timeout)
        except Broken as broken:
            if broken.code == "bad_reply":
                raise Refusal.local("tls_injection", broken.text) from broken
            raise
        if not reply.startswith(b"220"):
            raise Refusal.of(Phase.TLS, reply)
        await wire.start_tls(self._context, self._peer.host, self._settings.connect_timeout)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, with the system's authorities or the given ones; unverified only where told so."""
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        if not self._settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _encrypted(self, wire: Wire) -> bool:
        """Tell whether the connection is encrypted."""
        return wire.fact("ssl_object") is not None


def _nearby(wire: Wire) -> bool:
    """Tell whether the peer, as connected to, is this machine."""
    name = wire.fact("peername")
    return isinstance(name, tuple) and is_loopback(str(name[0]))


def _own_name(wire: Wire) -> str:
    """Return this host's name if it has a full one, else its address literal (RFC 5321, section 4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii() and name.replace("-", "").replace(".", "").isalnum():
        return name
    address = wire.fact("sockname")
    ip = str(address[0]).partition("%")[0] if isinstance(address, tuple) else "127.0.0.1"
    return f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"


async def _part(wire: Wire) -> None:
    """Say goodbye to a peer that is of no use, and leave nothing open behind."""
    wire.quit()
    try:
        await asyncio.wait([wire.gone], timeout=_GOODBYE)
    finally:
        wire.abort()


def _told(error: Exception, code: str = "connection_lost") -> Refusal:
    """Return the refusal that an operating system's or TLS error is."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal.local("tls_unverified", f"{error.verify_message}; set ca_file, or verify = false")
    if isinstance(error, socket.gaierror):
        return Refusal.local("dns_failed", error.strerror or "unknown host")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Refusal.local("tls_failed", error.reason or "TLS handshake failed")
    return Refusal.local(code, getattr(error, "strerror", None) or type(error).__name__)
