"""The providers of the configuration, looked at before anything is opened: kinds, names and values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pagerd.config import Layer, Settings, layers_of
from pagerd.core.errors import Misconfigured
from pagerd.core.nearest import did_you_mean
from pagerd.ports.provider import ProviderKind

_OURS: Final = ("kind", "credential", "enabled")


def examine(settings: Settings, file: Path | None, kinds: Mapping[str, ProviderKind]) -> None:
    """Raise :class:`Misconfigured` with every mistake in the providers' tables, each with its place."""
    layers = layers_of(file, {}, os.environ)
    mistakes = [
        mistake for name, table in settings.providers.items() for mistake in _mistakes(name, table, layers, kinds)
    ]
    if mistakes:
        raise Misconfigured("\n".join(mistakes), code="setting_wrong")


def _mistakes(
    name: str, table: Mapping[str, Any], layers: list[Layer], kinds: Mapping[str, ProviderKind]
) -> Iterator[str]:
    kind = table.get("kind")
    if not isinstance(kind, str):
        yield f'{_place(layers, name)}: provider {name} says no kind: add kind = "smtp"'
        return
    if kind not in kinds:
        hint = did_you_mean(kind, kinds) or f": there are {', '.join(kinds)}"
        yield f"{_place(layers, name, 'kind')}: there is no kind of provider {kind!r}{hint}"
        return
    settings = kinds[kind].settings
    known = [field.encode_name for field in msgspec.structs.fields(settings)]
    unknown = [key for key in table if key not in known and key not in _OURS]
    for key in unknown:
        near = did_you_mean(key, [*known, *_OURS])
        yield f"{_place(layers, name, key)}: a provider of kind {kind} has no setting {key!r}{near}"
    if not unknown:
        yield from _refused(name, table, layers, settings)


def _refused(name: str, table: Mapping[str, Any], layers: list[Layer], kind: type[msgspec.Struct]) -> Iterator[str]:
    given = {key: value for key, value in table.items() if key not in _OURS}
    try:
        msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        words, _, where = str(error).replace("`", "").partition(" - at $.")
        said = f"{where}: {words}" if where else words
        yield f"{_place(layers, name, where or 'url')}: provider {name}: {said}"


def _place(layers: list[Layer], name: str, key: str | None = None) -> str:
    """Return where a provider's setting stands, in the strongest layer that speaks of it."""
    path = ("providers", name) if key is None else ("providers", name, key)
    for layer in reversed(layers):
        table = layer.given.get("providers", {})
        here = table.get(name) if isinstance(table, Mapping) else None
        if isinstance(here, Mapping) and (key is None or key in here):
            return layer.place(path)
    return f"[providers.{name}]"
