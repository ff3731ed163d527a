"""Which server to ask, and with which key: arguments, then environment, then profile, then ``./.pagerd``.

::

    arguments                              Pager(url=…, key=…), pagerctl --url --key-file
    PAGERCTL_URL, PAGERCTL_KEY_FILE, PAGERCTL_KEY
    $XDG_CONFIG_HOME/pagerctl/config.toml  url, key_file at the top; [profiles.NAME] beside
    ./.pagerd/pagerctl.toml                the same form; written by `pagerd dev`, here or in a folder above

A profile that is named outright counts as an argument. A key only ever goes to the address that it was written
down with: where a layer holds a key and an address, and another address was chosen above it, that is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pagerd.client.errors import NotConfigured
from pagerd.client.transport import Server

FILE: Final = Path("pagerctl") / "config.toml"
LOCAL: Final = Path(".pagerd") / "pagerctl.toml"
HINT: Final = "start one with `pagerd dev`, or set PAGERCTL_URL and PAGERCTL_KEY_FILE, or write a profile"
_FIELDS: Final = ("url", "key_file")


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """What one place says. ``name`` is how it is called in messages."""

    name: str
    url: str | None = None
    key: str | None = None
    key_file: Path | None = None

    @property
    def holds_key(self) -> bool:
        """Whether there is a key to be had here."""
        return self.key is not None or self.key_file is not None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The server that was chosen, and which places said so."""

    server: Server
    url_from: str
    key_from: str


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the program itself was told."""

    url: str | None = None
    key: str | None = None
    key_file: str | os.PathLike[str] | None = None
    profile: str | None = None


def choose(given: Given, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Choice:
    """Return the server to ask; raise :class:`NotConfigured`, which says where to write what is missing."""
    environ = os.environ if environ is None else environ
    layers = list(_layers(given, environ, folder or Path.cwd()))
    for_url = next((layer for layer in layers if layer.url), None)
    for_key = next((layer for layer in layers if layer.holds_key), None)
    if for_url is None or for_url.url is None:
        raise NotConfigured("no server to ask is known", remedy=HINT)
    if for_key is None:
        raise NotConfigured(f"no key for {for_url.url} is known", remedy="set PAGERCTL_KEY_FILE, or give --key-file")
    if for_key.url and for_key.url.rstrip("/") != for_url.url.rstrip("/"):
        raise NotConfigured(
            f"{for_url.url} comes from {for_url.name}, but the key of {for_key.name} belongs to {for_key.url}",
            remedy="give a key for this address too (--key-file, PAGERCTL_KEY_FILE)",
        )
    server = Server(for_url.url, for_key.key if for_key.key is not None else _read_key(for_key))
    return Choice(server=server, url_from=for_url.name, key_from=for_key.name)


def _layers(given: Given, environ: Mapping[str, str], folder: Path) -> Iterator[Layer]:
    """Give what each place says, the strongest first."""
    key_file = Path(given.key_file).expanduser() if given.key_file else None
    yield Layer(name="the arguments", url=given.url, key=given.key, key_file=key_file)
    config = _home(environ) / FILE
    if given.profile is not None:
        yield _named(given.profile, config, _local(folder))
    named = environ.get("PAGERCTL_KEY_FILE")
    yield Layer(
        name="the environment",
        url=environ.get("PAGERCTL_URL") or None,
        key=None if named else environ.get("PAGERCTL_KEY") or None,
        key_file=Path(named).expanduser() if named else None,
    )
    if given.profile is not None:
        return
    if config.is_file():
        yield _layer(config, _read(config))
    if (local := _local(folder)) is not None:
        yield _layer(local, _read(local), inside=local.parent)


def _named(profile: str, config: Path, local: Path | None) -> Layer:
    """Return the layer of a profile: from the person's file, or from the folder's."""
    known: list[str] = []
    for path, inside in ((config, None), (local, local.parent if local else None)):
        if path is None or not path.is_file():
            continue
        profiles = _read(path).get("profiles", {})
        if profile in profiles:
            return _layer(path, profiles[profile], inside=inside, name=f"profile {profile!r} of {path}")
        known += profiles
    hint = f"there are {', '.join(known)}" if known else f"write [profiles.{profile}] into {config}"
    raise NotConfigured(f"there is no profile {profile!r}", remedy=hint)


def _layer(path: Path, table: Mapping[str, Any], *, inside: Path | None = None, name: str = "") -> Layer:
    """Return what a table says; relative key files are beside it, and must stay ``inside`` where that is given."""
    name = name or str(path)
    wrong = next((field for field in _FIELDS if not isinstance(table.get(field, ""), str)), None)
    if wrong is not None:
        raise NotConfigured(f"{wrong} in {name} must be text")
    key_file = table.get("key_file")
    key_path = path.parent / Path(key_file).expanduser() if key_file else None
    if key_path and inside and not key_path.resolve().is_relative_to(inside.resolve()):
        raise NotConfigured(f"the key_file of {name} is outside of its folder", remedy="move it beside, or name it")
    return Layer(name=name, url=table.get("url"), key_file=key_path)


def _read(path: Path) -> dict[str, Any]:
    """Return a configuration file; raise :class:`NotConfigured` with the place of the mistake."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise NotConfigured(f"{path} can't be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise NotConfigured(f"{path}: {problem}") from problem


def _read_key(layer: Layer) -> str:
    """Return the key that stands in a layer's file."""
    path = layer.key_file or Path()
    try:
        key = path.read_text("utf-8").strip()
    except OSError as problem:
        raise NotConfigured(f"the key file {path} (from {layer.name}) can't be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise NotConfigured(f"the key file {path} (from {layer.name}) holds no key") from problem
    if not key:
        raise NotConfigured(f"the key file {path} (from {layer.name}) is empty")
    return key


def _home(environ: Mapping[str, str]) -> Path:
    """Return the folder of the person's configuration files (XDG Base Directory Specification)."""
    named = environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if named.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"


def _local(folder: Path) -> Path | None:
    """Return the file that `pagerd dev` wrote here or in a folder above, if it is this person's own."""
    for parent in (folder, *folder.parents):
        path = parent / LOCAL
        if path.is_file():
            facts = path.stat()
            return path if facts.st_uid == os.getuid() and not facts.st_mode & 0o022 else None
    return None
