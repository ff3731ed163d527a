"""TOML with places: where a mistake stands, front matter between ``+++`` lines, and values written back."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

FENCE: Final = "+++"
_PLACE: Final = re.compile(r"^(?P<words>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class BadToml(Exception):
    """A text is not TOML; ``line`` counts from 1 in it."""

    def __init__(self, detail: str, line: int, column: int) -> None:
        super().__init__(detail)
        self.line = line
        self.column = column


def parsed(text: str) -> dict[str, Any]:
    """Return what a TOML text says; raise :class:`BadToml` with the place of the mistake."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = _PLACE.match(str(problem))
        if found is None:
            raise BadToml(str(problem), 1, 0) from problem
        line = int(found["line"] or text.count("\n") + 1)
        raise BadToml(found["words"], line, int(found["column"] or 0)) from problem


def split(text: str) -> tuple[str | None, str]:
    """Return (front matter or ``None``, body); raise :class:`BadToml` where the front matter is never closed."""
    first, newline, rest = text.partition("\n")
    if first.rstrip() != FENCE or not newline:
        return None, text
    lines = rest.split("\n")
    end = next((at for at, line in enumerate(lines) if line.rstrip() == FENCE), None)
    if end is None:
        raise BadToml(f"the front matter begins with {FENCE} and is never closed by another {FENCE}", 1, 0)
    return "".join(f"{line}\n" for line in lines[:end]), "\n".join(lines[end + 1 :])


def line_of(text: str, *path: str | int) -> int:
    """Return the line where a key first stands; ``("variables", 2, "type")`` looks in the third table of that name.

    As near as can be told from the lines alone: the line of the last step that is to be seen, 1 if none is.
    """
    lines = text.splitlines()
    at = 0
    for step, after in zip(path, (*path[1:], ""), strict=True):
        if isinstance(step, str):
            wanted = re.compile(rf"""^\s*(?:\[+\s*)?(?:[\w-]+\.)*["']?{re.escape(step)}["']?\s*(?:=|\.|\])""")
            found = [number for number in range(at, len(lines)) if wanted.match(lines[number])]
            place = after if isinstance(after, int) else 0
            at = found[place] if place < len(found) else at
    return at + 1


def written(value: Any) -> str:
    """Return a JSON value as TOML. JSON's strings are TOML's basic strings; ``None`` has no form and is left out."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)} = {written(item)}" for name, item in _stated(value)) + "}"
    return "[" + ", ".join(written(item) for item in value if item is not None) + "]"


def table(values: Mapping[str, Any]) -> str:
    """Return a table's lines, one key on each."""
    return "".join(f"{key(name)} = {written(value)}\n" for name, value in _stated(values))


def key(name: str) -> str:
    """Return a key, quoted where it must be."""
    return name if _BARE.fullmatch(name) else written(name)


def _stated(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in values.items() if value is not None]
