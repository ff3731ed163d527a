"""The settings of a Twilio-style SMS provider: whose account, as whom, how much at a time."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from pagerd.core.rates import read_rate

PUBLIC: Final = "https://api.twilio.com"

Seconds = Annotated[float, Meta(gt=0, le=600)]


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an SMS provider is told; raises :class:`ValueError` (as validation error, when decoded) for a bad URL.

    ``account`` is the account's SID; the credential is its auth token, or with ``api_key`` (an SID, too) that key's
    secret. ``from`` is a number, a short code, a name, or the SID of a messaging service (``MG…``), which chooses one.
    ``default_region`` (``AT``) is where numbers without a country are dialled; without it they are refused.

    A text of more than ``max_segments`` is refused before it is sent. ``status_callback`` is where receipts are to go:
    the recipient's id is added to it. ``base_url`` is another server that speaks this API; in clear only on this
    machine, for the credential goes with each request. Of one batch up to ``connections`` messages are under way at a
    time, and so many may be in doubt when the connection breaks. ``rate`` is how fast it may be used by all processes
    together: ``10/s``, ``600/min``. Times are in seconds.
    """

    account: Annotated[str, Meta(pattern=r"^AC[0-9a-fA-F]{32}$")]
    api_key: Annotated[str, Meta(pattern=r"^SK[0-9a-fA-F]{32}$")] | None = None
    sender: str | None = msgspec.field(default=None, name="from")
    default_region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    max_segments: Annotated[int, Meta(ge=1, le=10)] = 10
    status_callback: str | None = None
    base_url: str = PUBLIC
    connections: Annotated[int, Meta(ge=1, le=1000)] = 20
    connect_timeout: Seconds = 5.0
    answer_timeout: Seconds = 15.0
    idle_timeout: Seconds = 15.0
    rate: str | None = None

    def __post_init__(self) -> None:
        url = _split("base_url", self.base_url)
        if url.path not in ("", "/") or url.query:
            raise ValueError("base_url has something after the host and port")
        if url.scheme == "http" and not is_local(url):
            raise ValueError("base_url must begin with https://: a credential does not leave this machine in clear")
        if self.rate is not None:
            read_rate(self.rate)
        if self.status_callback is not None:
            _split("status_callback", self.status_callback)


def loopback_only(settings: TwilioSettings) -> bool:
    """Tell whether messages stay on this machine: the host is ``localhost`` or a loopback address."""
    return is_local(urlsplit(settings.base_url))


def is_local(url: SplitResult) -> bool:
    """Tell whether a URL leads to this machine."""
    host = url.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(name: str, text: str) -> SplitResult:
    """Return the parts of an HTTP URL; raise :class:`ValueError` with the fault."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https"):
        raise ValueError(f"{name} must begin with https://")
    if not url.hostname or url.username is not None or url.fragment:
        raise ValueError(f"{name} is a host with a port at most: no user, no fragment")
    if url.port == 0:  # reading the port also checks its range
        raise ValueError("port 0 is nobody's")
    return url
