"""The settings of an SMTP provider: where it is, how it is secured, what it may take."""

from __future__ import annotations

import ipaddress
import re
import ssl
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from msgspec import Meta

from pagerd.core.errors import Misconfigured
from pagerd.core.rates import read_rate

Tls = Literal["auto", "required", "off"]
Seconds = Annotated[float, Meta(gt=0, le=3600)]

_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_HELO: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9:.]+\])")


class SmtpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an SMTP provider is told; raises :class:`ValueError` (as validation error, when decoded) for a bad URL.

    ``url`` is ``smtp://[user@]host[:port]`` (port 25), ``smtp+starttls://…`` (587; STARTTLS or nothing) or
    ``smtps://…`` (465; TLS from the first byte). A password never stands in it: the credential is the password when
    the URL names the user, else ``user:password``. ``tls`` is for ``smtp://`` only: ``auto`` upgrades where the peer
    offers it, but not on this machine, where there is nothing to hide; with ``off`` and no TLS a credential leaves
    for a loopback peer only. ``verify`` holds for every kind of TLS; ``ca_file`` replaces the system's authorities.

    ``rate`` is how fast it may be used by all processes together: ``100/s``, ``6000/min``, ``1000/h``, ``50000/day``.

    The times are of RFC 5321, section 4.5.3.2, made practical, in seconds: one reply to a command, and the reply to a
    message's last byte, where giving up early makes duplicates. ``unanswered`` is how many messages may have left
    without an answer at a time, which only ``chunking`` (BDAT, RFC 3030) can use: it is the bound of doubt per broken
    connection.
    """

    url: str
    sender: str | None = msgspec.field(default=None, name="from")
    tls: Tls = "auto"
    verify: bool = True
    ca_file: str | None = None
    helo: str | None = None
    connections: Annotated[int, Meta(ge=1, le=1000)] = 20
    messages_per_connection: Annotated[int, Meta(ge=1)] = 1000
    rate: str | None = None
    max_message_bytes: Annotated[int, Meta(ge=1)] = 25 * 1024 * 1024
    chunking: bool = False
    unanswered: Annotated[int, Meta(ge=1, le=100)] = 1
    connect_timeout: Seconds = 10.0
    greeting_timeout: Seconds = 30.0
    command_timeout: Seconds = 60.0
    dot_timeout: Seconds = 300.0
    idle_timeout: Seconds = 30.0

    def __post_init__(self) -> None:
        url = _split(self.url)
        if url.scheme != "smtp" and self.tls == "off":
            raise ValueError(f"{url.scheme}:// and tls = 'off' contradict each other")
        if self.helo is not None and not _HELO.fullmatch(self.helo):
            raise ValueError("helo is neither a host name nor an address literal in brackets")
        if self.rate is not None:
            read_rate(self.rate)


class Login(msgspec.Struct, frozen=True):
    """A user and password, which no repr shows."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(…)"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """The next mail server, as the URL and the credential say it. ``implicit``: TLS from the first byte."""

    host: str
    port: int
    implicit: bool
    tls: Tls
    login: Login | None = None


def peer_of(settings: SmtpSettings, credential: str | None) -> Peer:
    """Return the peer of these settings; raise :class:`Misconfigured` where user and credential don't fit together."""
    url = _split(settings.url)
    tls: Tls = settings.tls if url.scheme == "smtp" else "required"
    return Peer(
        host=url.hostname or "",
        port=url.port or _PORTS[url.scheme],
        implicit=url.scheme == "smtps",
        tls=tls,
        login=_login(unquote(url.username) if url.username else None, credential),
    )


def loopback_only(settings: SmtpSettings) -> bool:
    """Tell whether mail stays on this machine: the host is ``localhost`` or a loopback address."""
    host = _split(settings.url).hostname or ""
    return host == "localhost" or is_loopback(host)


def is_loopback(address: str) -> bool:
    """Tell whether an IP address (no name) is one of this machine's own, IPv4 inside IPv6 included."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def check_files(settings: SmtpSettings) -> None:
    """Raise :class:`Misconfigured` when a file that the settings name can't be read, or is not what it should be."""
    if settings.ca_file is None:
        return
    try:
        ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        said = error.strerror or "no certificates in it"
        raise Misconfigured(f"ca_file {settings.ca_file}: {said}", code="ca_file") from error


def _split(text: str) -> SplitResult:
    """Return the parts of an SMTP URL; raise :class:`ValueError` with the fault."""
    url = urlsplit(text)
    if url.scheme not in _PORTS:
        raise ValueError("url must begin with smtp://, smtp+starttls:// or smtps://")
    if url.password is not None:
        raise ValueError("url must not hold a password: put it into the credential")
    if not url.hostname:
        raise ValueError("url names no host")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("url has something after the host and port")
    if url.port == 0:  # reading the port also checks its range
        raise ValueError("port 0 is nobody's")
    return url


def _login(user: str | None, credential: str | None) -> Login | None:
    """Return user and password from the URL's user and the credential, or ``None`` when there is neither."""
    if credential is None:
        if user is not None:
            raise Misconfigured("url names a user, but there is no credential", code="credential_missing")
        return None
    if user is None:
        user, colon, credential = credential.partition(":")
        if not colon:
            raise Misconfigured("url names no user: the credential must be user:password", code="credential_malformed")
    if not user or "\0" in user + credential:
        raise Misconfigured("the user is empty, or user or password hold a NUL", code="credential_malformed")
    return Login(user, credential)
