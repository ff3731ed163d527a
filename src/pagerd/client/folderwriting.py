"""Writes templates to disk, in the form that :mod:`pagerd.client.folder` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pagerd.client.errors import NotPager
from pagerd.client.templatefiles import FILE, FRONT, NAME, PARTS, SETTINGS, default_of
from pagerd.client.tomltext import FENCE, table
from pagerd.core.templates import TemplateDraft, Variant


def write(folder: Path, name: str, draft: TemplateDraft) -> Path:
    """Write a template into ``folder/name`` and return that; files of variants that it no longer has go.

    Reading it back brings the same draft.
    """
    if not NAME.fullmatch(name):
        raise NotPager(f"the server has a template named {name!r}, which can't be a folder's name")
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    files = dict(_files(draft))
    for stale in path.iterdir():
        if FILE.fullmatch(stale.name) and stale.name not in files:
            stale.unlink()
    for file, text in files.items():
        (path / file).write_text(text, "utf-8", newline="\n")
    return path


def _files(draft: TemplateDraft) -> Iterator[tuple[str, str]]:
    """Give the name and text of every file."""
    yield SETTINGS, _settings(draft)
    for variant in draft.variants:
        stem = f"{variant.channel.value}.{variant.locale}"
        if not FILE.fullmatch(f"{stem}.txt"):
            raise NotPager(f"the server has a variant {stem!r}, which can't be a file's name")
        yield from _parts(stem, variant)


def _parts(stem: str, variant: Variant) -> Iterator[tuple[str, str]]:
    """Give a variant's files; what has no file of its own (the subject) stands in the first of them."""
    front = {name: value for name in FRONT if (value := getattr(variant, name)) not in (None, {})}
    for ending, part in PARTS.items():
        body = getattr(variant, part)
        if body is None:
            continue
        needs_fence = front or body.startswith(FENCE)
        yield f"{stem}.{ending}", _fenced(front) + body if needs_fence else body
        front = {}


def _fenced(front: dict[str, Any]) -> str:
    return f"{FENCE}\n{table(front)}{FENCE}\n"


def _settings(draft: TemplateDraft) -> str:
    """Return template.toml: what belongs to the whole template, then a table for each variable."""
    plain: dict[str, Any] = msgspec.to_builtins(draft)
    variants, variables = plain.pop("variants"), plain.pop("variables", None)
    first = variants[0].get("locale", "en") if variants else ""
    if variants and first != default_of(one.get("locale", "en") for one in variants):
        plain["default_locale"] = first
    if variables == []:
        plain["variables"] = []
    text = table(plain)
    for variable in variables or ():
        text += f"\n[[variables]]\n{table(variable)}"
    return text
