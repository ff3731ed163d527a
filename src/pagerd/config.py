"""Settings: flags over environment over file over defaults, read once at the edge, frozen from then on."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from pagerd.core.errors import Misconfigured
from pagerd.core.requests import ProviderDraft

ENVIRONMENT: Final = "PAGERD_"
FILENAME: Final = "pagerd.toml"

Count = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[float, Meta(gt=0)]


class Worker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is done at a time.

    ``lanes`` work one batch each, ``urgent_lanes`` of them urgent work only; ``window`` is how many messages may be
    under way, and so the most that a death of the process leaves in doubt, ``urgent_window`` of them for urgent work.
    ``lease`` is for how long a claim lasts, ``renew`` how often it is extended, ``fence_margin`` how long before its
    end nothing is sent any more; ``drain`` for how long a stop waits for answers. Seconds.
    """

    lanes: Count = 64
    urgent_lanes: Annotated[int, Meta(ge=0, le=1000)] = 8
    window: Count = 200
    urgent_window: Annotated[int, Meta(ge=0, le=1000)] = 16
    lease: Seconds = 30.0
    renew: Seconds = 10.0
    fence_margin: Seconds = 5.0
    drain: Seconds = 30.0


class Capture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The capture server of ``pagerd dev``: where it takes mail over SMTP. Port 0: any free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 1025
    keep: Count = 5000


class Testing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For tests of Pager itself: ``failpoint = "K7:3"`` kills the process at the third pass of K7."""

    failpoint: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a server; what each means stands in ``docs/reference/settings.md``."""

    store: str = "sqlite:///./pagerd.db"
    queue: str = "store"
    cache: str = "memory"
    key_file: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8400
    batch_size: Annotated[int, Meta(ge=1, le=500)] = 5
    disk_reserve: Annotated[int, Meta(ge=0)] = 256 * 2**20
    key_days: Annotated[float, Meta(ge=0)] = 30.0
    log: str = "info"
    open_metrics: bool = False
    worker: Worker = Worker()
    capture: Capture = Capture()
    testing: Testing = Testing()
    providers: dict[str, dict[str, Any]] = {}

    def database(self) -> Path:
        """Return the path of the SQLite file; raise :class:`Misconfigured` for any other store."""
        prefix = "sqlite:///"
        if not self.store.startswith(prefix):
            raise Misconfigured(
                f"store = {self.store!r} is not supported yet: this release keeps everything in SQLite",
                code="not_supported_yet",
                remedy='Write store = "sqlite:////absolute/path/pagerd.db", or "sqlite:///./relative.db".',
            )
        path = self.store.removeprefix(prefix)
        if not path.startswith(("/", "./")):
            raise Misconfigured(
                f"store = {self.store!r}: a relative path begins with ./, an absolute one with /",
                remedy=f'Write store = "sqlite:///./{path}" for a file beside the folder you start in.',
            )
        return Path(path)

    def root_key(self) -> Path:
        """Return the path of the root key file: beside the database, unless another is named."""
        return Path(self.key_file) if self.key_file else self.database().with_name("root.key")

    def drafts(self) -> dict[str, ProviderDraft]:
        """Return the providers of the configuration."""
        return {name: _draft(name, dict(table)) for name, table in self.providers.items()}


def read(path: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; raise :class:`Misconfigured` naming file, line and the nearest right name.

    ``path`` is the file; ``None`` takes ``pagerd.toml`` in the current folder where there is one. ``flags`` are
    settings by name, those not ``None``.
    """
    file = path or (Path(FILENAME) if Path(FILENAME).exists() else None)
    merged: dict[str, Any] = {}
    source = ""
    if file is not None:
        source = _text(file)
        _merge(merged, _parsed(file, source))
    _merge(merged, _of_environment(os.environ if environment is None else environment))
    _merge(merged, {name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, file, source) from error
    if settings.log not in ("debug", "info", "warning", "error"):
        raise Misconfigured(f"log = {settings.log!r}: it is debug, info, warning or error")
    return settings


def _draft(name: str, table: dict[str, Any]) -> ProviderDraft:
    kind = table.pop("kind", None)
    if not isinstance(kind, str):
        raise Misconfigured(f"[providers.{name}] says no kind", remedy='Add kind = "smtp".')
    credential = table.pop("credential", None)
    enabled = table.pop("enabled", True)
    return ProviderDraft(
        kind=kind,
        settings=table,
        credential=None if credential is None else secret(credential, f"providers.{name}.credential"),
        enabled=enabled,
    )


def secret(value: str, name: str) -> str:
    """Return a secret: itself, or what ``env:NAME`` or ``file:PATH`` refers to."""
    kind, colon, rest = value.partition(":")
    if colon and kind == "env":
        if rest not in os.environ:
            raise Misconfigured(f"{name} refers to the environment variable {rest}, which is not set")
        return os.environ[rest]
    if colon and kind == "file":
        try:
            return Path(rest).read_text("utf-8").strip()
        except OSError as error:
            raise Misconfigured(f"{name} refers to {rest}, which can't be read: {error.strerror}") from error
    return value


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise Misconfigured(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file} is not UTF-8: byte {error.start} is wrong") from error


def _parsed(file: Path, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file} is not TOML: {error}") from error


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return ``PAGERD_WORKER__LANES=8`` as ``{"worker": {"lanes": "8"}}``."""
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT):
            continue
        *tables, last = name.removeprefix(ENVIRONMENT).lower().split("__")
        here = found
        for table in tables:
            here = here.setdefault(table, {})
        here[last] = value
    return found


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        else:
            base[name] = dict(value) if isinstance(value, Mapping) else value


def _explained(error: msgspec.ValidationError, file: Path | None, source: str) -> Misconfigured:
    words = str(error)
    unknown = re.search(r"unknown field `([^`]+)`", words)
    name = unknown.group(1) if unknown else _last_name(words)
    line = _line_of(source, name)
    where = f"{file}, line {line}: " if file is not None and line else ""
    if unknown is None:
        return Misconfigured(where + words.replace("$.", ""), code="setting_invalid")
    near = difflib.get_close_matches(name, _names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    origin = "" if line else f" (in the environment it would be {ENVIRONMENT}{name.upper()})"
    return Misconfigured(f"{where}there is no setting {name!r}{hint}{origin}", code="setting_unknown")


def _last_name(words: str) -> str:
    path = re.search(r"`\$\.([^`]+)`", words)
    return path.group(1).rpartition(".")[2] if path else ""


def _names() -> list[str]:
    return [
        *Settings.__struct_fields__,
        *Worker.__struct_fields__,
        *Capture.__struct_fields__,
    ]


def _line_of(source: str, name: str) -> int | None:
    for number, line in enumerate(source.splitlines(), 1):
        if name and re.match(rf"\s*(\[.*)?\b{re.escape(name)}\b", line):
            return number
    return None
