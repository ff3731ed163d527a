"""The settings of a Kafka provider: which topic of which brokers, in which form, as whom."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pagerd.core.rates import read_rate

Form = Literal["json", "cloudevents-binary", "cloudevents-structured"]
Seconds = Annotated[float, Meta(gt=0, le=300)]

_SERVER: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a Kafka provider is told; raises :class:`ValueError` (as validation error, when decoded) for what is wrong.

    ``servers`` are ``host:port``, divided by commas. ``format`` is the record's: the template's JSON as it is, or a
    CloudEvent 1.0 whose attributes are headers (``cloudevents-binary``) or stand around the JSON
    (``cloudevents-structured``); ``source`` and ``type`` are its attributes, unless the template's header ``ce_type``
    says another type.

    With ``user`` the credential is the password (SASL, ``mechanism``), which leaves this machine only with ``tls``.
    ``ca_file`` replaces the system's authorities. Of one batch up to ``unanswered`` records may be under way: so many
    may be in doubt when the connection breaks. ``answer_timeout`` is how long a record may wait for the brokers'
    answer, in which they may be away and come back; giving up early makes duplicates. ``queue_bytes`` of records may
    wait in memory. Times are in seconds. ``rate`` is how fast it may be used by all processes together: ``1000/s``.
    """

    servers: str
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    format: Form = "json"
    source: Annotated[str, Meta(min_length=1, max_length=1000)] = "pager"
    type: Annotated[str, Meta(min_length=1, max_length=1000)] = "pager.notification"
    user: str | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: bool = False
    verify: bool = True
    ca_file: str | None = None
    max_record_bytes: Annotated[int, Meta(ge=1000, le=1_000_000_000)] = 1_000_000
    queue_bytes: Annotated[int, Meta(ge=1_000_000, le=2_000_000_000)] = 64_000_000
    unanswered: Annotated[int, Meta(ge=1, le=100_000)] = 500
    connect_timeout: Seconds = 5.0
    answer_timeout: Annotated[float, Meta(ge=1, le=300)] = 30.0
    rate: str | None = None

    def __post_init__(self) -> None:
        for server in self.servers.split(","):
            named = _SERVER.fullmatch(server.strip())
            if named is None or not 0 < int(named["port"]) < 65536:
                raise ValueError(f"servers: {server.strip()!r} is not host:port")
        if self.user is not None and not self.tls and not loopback_only(self):
            raise ValueError("user needs tls = true: a password does not leave this machine in clear")
        if self.rate is not None:
            read_rate(self.rate)
        if not self.tls and (self.ca_file is not None or not self.verify):
            raise ValueError("ca_file and verify are about TLS: set tls = true")


def loopback_only(settings: KafkaSettings) -> bool:
    """Tell whether the servers are this machine. Where it leads from there is checked before anything is sent."""
    return all(is_local(host) for host in hosts(settings.servers))


def hosts(servers: str) -> list[str]:
    """Return the hosts of ``host:port,host:port``."""
    return [server.strip().rpartition(":")[0] for server in servers.split(",")]


def is_local(host: str) -> bool:
    """Tell whether a host is ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
