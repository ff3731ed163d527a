"""Where the broker is and how to speak to it: the setting ``queue`` as a URL, read once.

``kafka://host:9092,host2:9092?prefix=pagerd&partitions=12&replication=1&security=sasl_ssl&mechanism=PLAIN&username=…
&password=env:NAME&ca=/path/ca.pem``
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NoReturn
from urllib.parse import parse_qsl, urlsplit

import msgspec

from pagerd.core.errors import Misconfigured
from pagerd.core.nearest import did_you_mean
from pagerd.core.policy import Priority

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_SCHEME: Final = "kafka"
_SERVER: Final = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_REFERENCE: Final = re.compile(r"(env|file):.+")


class Secret:
    """A password that no message and no log can show by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the password: for the library that logs in with it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the broker, and how its topics are named and made."""

    servers: str
    prefix: str = "pagerd"
    partitions: int = 12
    replication: int = 1
    security: Security = "plaintext"
    mechanism: Mechanism = "PLAIN"
    username: str = ""
    password: Secret | None = None
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def topic(self, priority: Priority) -> str:
        """Return the topic of a priority."""
        return f"{self.prefix}.{priority.name.lower()}"

    @property
    def group(self) -> str:
        """The consumer group of all workers."""
        return f"{self.prefix}.workers"


def parsed(url: str, secret: Callable[[str, str], str]) -> KafkaSettings:
    """Return the settings of a URL; ``secret(value, name)`` resolves ``env:NAME`` and ``file:PATH``.

    Raises :class:`Misconfigured` that names the part, its value (never a password) and the remedy.
    """
    parts = urlsplit(url)
    if parts.scheme != _SCHEME or "@" in parts.netloc or parts.path not in ("", "/"):
        _refuse("the address", parts.scheme, "Write kafka://host:9092,host2:9092?username=…&password=env:NAME.")
    for server in parts.netloc.split(","):
        if not _SERVER.fullmatch(server):
            _refuse("a server", server, "Write host:port, several with commas between them.")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = _password(given.pop("password", None), secret)
    for name in given:
        if name not in KafkaSettings.__struct_fields__ or name == "servers":
            words = did_you_mean(name, KafkaSettings.__struct_fields__)
            _refuse("a parameter", name, f"There is no such parameter{words}.")
    settings = _converted({"servers": parts.netloc, "password": password, **given})
    _check(settings)
    return settings


def _password(value: str | None, secret: Callable[[str, str], str]) -> Secret | None:
    if value is None:
        return None
    if not _REFERENCE.fullmatch(value):
        _refuse("password", "…", "Don't write it into the URL: say password=env:NAME or password=file:/path.")
    return Secret(secret(value, "queue: password"))


def _converted(given: dict[str, object]) -> KafkaSettings:
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(KafkaSettings):
        if field.name not in given or field.name == "password":
            continue
        try:
            found[field.name] = msgspec.convert(given[field.name], field.type, strict=False)
        except msgspec.ValidationError:
            known = getattr(field.type, "__args__", ())
            remedy = f"It is one of {', '.join(known)}." if known else "It is a whole number."
            _refuse(field.name, str(given[field.name]), remedy)
    return KafkaSettings(password=given.get("password"), **found)  # type: ignore[arg-type]


def _check(settings: KafkaSettings) -> None:
    if not _PREFIX.fullmatch(settings.prefix):
        _refuse("prefix", settings.prefix, "Use letters, digits, dots, underscores and hyphens, at most 200.")
    for name in ("partitions", "replication"):
        number = getattr(settings, name)
        if not 1 <= number <= 10_000:
            _refuse(name, str(number), "It is at least 1.")
    sasl = settings.security.startswith("sasl")
    if sasl and not (settings.username and settings.password):
        _refuse("security", settings.security, "Say username=… and password=env:NAME, too.")
    if settings.password and not sasl:
        _refuse("security", settings.security, "A password needs security=sasl_ssl.")
    for name in ("ca", "certificate", "key"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            _refuse(name, path, "There is no such file: name one in PEM.")


def _refuse(what: str, value: str, remedy: str) -> NoReturn:
    raise Misconfigured(f"queue: {what} {value!r} can't be", code="queue_setting", remedy=remedy)
