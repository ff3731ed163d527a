"""Settings: flags over environment over file over defaults, read once at the edge, frozen from then on."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from pagerd.core.errors import Misconfigured
from pagerd.core.nearest import did_you_mean
from pagerd.core.requests import ProviderDraft

ENVIRONMENT: Final = "PAGERD_"
FILENAME: Final = "pagerd.toml"
DEBUG: Final = "PAGERD_DEBUG"
"""Shows where an unexpected error comes from. It is for people at a terminal, and no setting."""
_REMEDY: Final = "All settings, with what they mean: docs/reference/settings.md"

Count = Annotated[int, Meta(ge=1, le=10_000)]
Share = Annotated[int, Meta(ge=0, le=1000)]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Worker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is done at a time, and for how long a claim holds."""

    lanes: Annotated[Count, Meta(description="How many batches are worked on at a time.")] = 64
    urgent_lanes: Annotated[Share, Meta(description="How many of the lanes do urgent work only.")] = 8
    window: Annotated[
        Count,
        Meta(
            description="How many messages may be under way in this process, and so the most that its death leaves in "
            "doubt. Smaller is safer, larger is faster."
        ),
    ] = 200
    urgent_window: Annotated[Share, Meta(description="How many of the window are kept free for urgent messages.")] = 16
    lease: Annotated[Seconds, Meta(description="For how many seconds a claim lasts.")] = 30.0
    renew: Annotated[Seconds, Meta(description="After how many seconds a claim is extended.")] = 10.0
    fence_margin: Annotated[
        Seconds, Meta(description="How many seconds before the end of its claim a worker sends nothing any more.")
    ] = 5.0
    drain: Annotated[
        Seconds, Meta(description="How many seconds a stop waits for answers to what has left already.")
    ] = 30.0
    processes: Annotated[
        Count,
        Meta(
            description="How many worker processes there are, at most. Each takes its share of a provider's rate while "
            "Redis, which counts for all of them, is away."
        ),
    ] = 1


class Capture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The capture server of ``pagerd dev``: where it takes mail over SMTP."""

    host: Annotated[str, Meta(description="The address it listens on: one of this machine's own.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Its port; 0 takes any free one.")] = 1025
    keep: Annotated[Count, Meta(description="How many mails the inbox keeps, the newest.")] = 5000


class Testing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For tests of Pager itself; leave it alone everywhere else."""

    failpoint: Annotated[
        str, Meta(description='Kills the process at a named place: `"K7:3"` at the third pass of K7.')
    ] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a server."""

    store: Annotated[
        str,
        Meta(
            description="Where everything is kept: `sqlite:////absolute/path/pagerd.db`, or `sqlite:///./relative.db`: "
            "the folder of the file is the data directory. Or `postgresql://user:password@host:5432/database`, for "
            "several processes (`postgresql+psycopg://` uses psycopg; `?pgbouncer=true` where a PgBouncer in "
            "transaction mode stands before it)."
        ),
    ] = "sqlite:///./pagerd.db"
    store_direct: Annotated[
        str,
        Meta(description="The same PostgreSQL database without a PgBouncer between: for hints and migrations."),
    ] = ""
    key_store: Annotated[
        str,
        Meta(
            description="Where the keys are kept that open the store: a PostgreSQL database of its own, backed up "
            "apart. With SQLite it is `keys.db` in the data directory, and this stays empty."
        ),
    ] = ""
    queue: Annotated[
        str,
        Meta(
            description="What carries batches to workers: `store`, the store itself, or "
            "`kafka://host:9092,host2:9092?prefix=pagerd&partitions=12&replication=1` (with `security=sasl_ssl`, "
            "`mechanism`, `username`, `password=env:NAME`, `ca`, `certificate`, `key` where the broker wants them)."
        ),
    ] = "store"
    cache: Annotated[
        str,
        Meta(
            description="Where processes share short-lived things and count what leaves: `memory`, each for itself, or "
            "`redis://user:password@host:6379/0` (`rediss://` for TLS, with `?ca_file=…`)."
        ),
    ] = "memory"
    key_file: Annotated[
        str, Meta(description="The root key file; empty: `root.key` in the data directory. PostgreSQL needs it named.")
    ] = ""
    host: Annotated[str, Meta(description="The address of the HTTP API.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The port of the HTTP API; 0 takes any free one.")] = 8400
    batch_size: Annotated[
        int,
        Meta(ge=1, le=500, description="People in a batch, where neither the template nor the session says otherwise."),
    ] = 5
    disk_reserve: Annotated[
        int, Meta(ge=0, description="Bytes that must stay free on the disk: below, nothing new is admitted.")
    ] = 256 * 2**20
    key_days: Annotated[
        float,
        Meta(ge=0, description="Days after which the key of a finished session is shredded: nobody can read it then."),
    ] = 30.0
    log: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="What is logged, from which level on.")
    ] = "info"
    open_metrics: Annotated[bool, Meta(description="Whether `/metrics` answers without a key.")] = False
    worker: Annotated[Worker, Meta(description=str(Worker.__doc__))] = Worker()
    capture: Annotated[Capture, Meta(description=str(Capture.__doc__))] = Capture()
    testing: Annotated[Testing, Meta(description=str(Testing.__doc__))] = Testing()
    providers: Annotated[
        dict[str, dict[str, Any]], Meta(description="The services that carry messages, one table each, by name.")
    ] = {}

    @property
    def on_postgres(self) -> bool:
        """Whether the store is PostgreSQL."""
        return self.store.startswith("postgresql")

    def database(self) -> Path:
        """Return the path of the SQLite file; raise :class:`Misconfigured` for any other store."""
        prefix = "sqlite:///"
        if self.on_postgres:
            raise Misconfigured(
                "this is for an installation that is kept in a file (store = sqlite:…), and this one is in PostgreSQL",
                code="not_in_a_file",
                remedy="Use PostgreSQL's own means: pg_dump and pg_restore, of store and key_store apart.",
            )
        if not self.store.startswith(prefix):
            raise Misconfigured(
                f"store = {self.store.partition('@')[0]!r} is nothing that Pager knows",
                code="store_unknown",
                remedy='Write store = "sqlite:////absolute/path/pagerd.db", "sqlite:///./relative.db", or '
                '"postgresql://user:password@host:5432/database".',
            )
        path = self.store.removeprefix(prefix)
        if not path.startswith(("/", "./")):
            raise Misconfigured(
                f"store = {self.store!r}: a relative path begins with ./, an absolute one with /",
                remedy=f'Write store = "sqlite:///./{path}" for a file beside the folder you start in.',
            )
        return Path(path)

    def key_database(self) -> str:
        """Return the URL of the key store in PostgreSQL; raise :class:`Misconfigured` where it is not said."""
        if not self.key_store:
            raise Misconfigured(
                "store is PostgreSQL, and key_store does not say where its keys are",
                code="key_store_missing",
                remedy='Make a second database and write key_store = "postgresql://user:password@host:5432/keys". Back '
                "it up apart from the first, and keep no copy for longer than 30 days.",
            )
        return self.key_store

    def root_key(self) -> Path:
        """Return the path of the root key file: beside the database, unless another is named."""
        if not self.key_file and self.on_postgres:
            raise Misconfigured(
                "store is PostgreSQL, and key_file does not say where the root key is",
                code="key_file_missing",
                remedy='Write key_file = "/etc/pagerd/root.key": the same file on every machine (pagerd keys create).',
            )
        return Path(self.key_file) if self.key_file else self.database().with_name("root.key")

    def drafts(self) -> dict[str, ProviderDraft]:
        """Return the providers of the configuration."""
        return {name: _draft(name, dict(table)) for name, table in self.providers.items()}


class Layer(msgspec.Struct, frozen=True):
    """What one place says: a file, the environment, the command line."""

    given: dict[str, Any]
    name: str
    source: str = ""

    def place(self, path: Sequence[str]) -> str:
        """Return where a setting of this layer stands, in words."""
        if self.name == ENVIRONMENT:
            return f"{ENVIRONMENT}{'__'.join(path).upper()} in the environment"
        if self.name == "--":
            return f"--{'-'.join(path).replace('_', '-')}"
        line = line_of(self.source, path)
        return f"{self.name}, line {line}" if line else self.name


def read(path: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; raise :class:`Misconfigured` naming every mistake with its place and the nearest right name.

    ``path`` is the file; ``None`` takes ``pagerd.toml`` in the current folder where there is one. ``flags`` are
    settings by name, those not ``None``.
    """
    layers = layers_of(path, flags, os.environ if environment is None else environment)
    mistakes = [mistake for layer in layers for mistake in _mistakes(layer, layer.given, Settings, ())]
    if mistakes:
        raise Misconfigured(
            "\n".join(mistakes), code="setting_wrong", remedy="All settings: docs/reference/settings.md"
        )
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.given)
    settings = msgspec.convert(merged, Settings, strict=False)
    _check_times(settings.worker)
    _check_places(settings)
    return settings


def layers_of(path: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]) -> list[Layer]:
    """Return what file, environment and flags say, the weakest first."""
    file = path or (Path(FILENAME) if Path(FILENAME).exists() else None)
    layers = []
    if file is not None:
        source = _text(file)
        layers.append(Layer(_parsed(file, source), str(file), source))
    layers.append(Layer(_of_environment(environment), ENVIRONMENT))
    layers.append(Layer({name: value for name, value in flags.items() if value is not None}, "--"))
    return layers


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


_HEADER: Final = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def line_of(source: str, path: Sequence[str]) -> int | None:
    """Return the line of a TOML text on which a setting stands, or the nearest table around it."""
    table: tuple[str, ...] = ()
    nearest: int | None = None
    for number, line in enumerate(source.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _steps(header[1])
            here = table
        elif key := _KEY.match(line):
            here = (*table, *_steps(key[1]))
        else:
            continue
        if here[: len(path)] == tuple(path):
            return number
        if here == tuple(path[: len(here)]):
            nearest = number
    return nearest


def _mistakes(layer: Layer, given: Mapping[str, Any], kind: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Give every mistake of one table of a layer, in words with its place."""
    types = get_type_hints(kind, include_extras=True)
    inner = {name: hint for name, hint in get_type_hints(kind).items() if _is_table(hint)}
    for name, value in given.items():
        here = (*path, name)
        if name not in types:
            where = f" in [{'.'.join(path)}]" if path else ""
            yield f"{layer.place(here)}: there is no setting {name!r}{where}{did_you_mean(name, types)}"
        elif name in inner and isinstance(value, Mapping):
            yield from _mistakes(layer, value, inner[name], here)
        elif (words := _refusal(value, types[name])) is not None:
            yield f"{layer.place(here)}: {'.'.join(here)} = {value!r} can't be: {words}"


def _is_table(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _refusal(value: Any, kind: Any) -> str | None:
    """Return why a value can't be of a setting's type; ``None`` where it can."""
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        known = getattr(getattr(kind, "__origin__", None), "__args__", ())
        if known and all(isinstance(word, str) for word in known):
            return f"it is one of {', '.join(known)}"
        return str(error).replace("`", "").replace("Expected", "expected").partition(" - at")[0]
    return None


def _check_times(worker: Worker) -> None:
    if worker.renew + worker.fence_margin >= worker.lease:
        raise Misconfigured(
            f"worker: a claim of {worker.lease} s that is extended every {worker.renew} s and not used in its last "
            f"{worker.fence_margin} s would never be usable",
            remedy="Let lease be longer than renew and fence_margin together.",
        )


_PLACES: Final = {
    "queue": ("store", ("kafka://",), 'Write queue = "store", or "kafka://host:9092".'),
    "cache": (
        "memory",
        ("redis://", "rediss://", "redis+unix://"),
        'Write cache = "memory", or "redis://host:6379/0".',
    ),
}


def _check_places(settings: Settings) -> None:
    """Raise for a queue or a cache of which nobody knows what it is, before anything is made."""
    for name, (own, schemes, remedy) in _PLACES.items():
        value: str = getattr(settings, name)
        if value != own and not value.startswith(schemes):
            shown = value.partition("://")[0]
            raise Misconfigured(f"{name} = {shown!r} is nothing that Pager knows", code=f"{name}_url", remedy=remedy)


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
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT) or name == DEBUG:
            continue
        *tables, last = name.removeprefix(ENVIRONMENT).lower().split("__")
        here = found
        for table in tables:
            below = here.setdefault(table, {})
            if not isinstance(below, dict):
                raise Misconfigured(f"{name} in the environment: {ENVIRONMENT}{table.upper()} is set beside it")
            here = below
        here[last] = environment[name]
    return found


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        else:
            base[name] = {**value} if isinstance(value, Mapping) else value


def _steps(dotted: str) -> tuple[str, ...]:
    """Return the names of a dotted key; quotes go."""
    return tuple(step.strip().strip("\"'") for step in dotted.split("."))
