"""Writes the pages that are made from the code: ``python -m tools.reference`` (``make docs``).

``python -m tools.reference --check`` says what is not current, and ends with exit code 1.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Meta

from pagerd.adapters.smtp.settings import SmtpSettings
from pagerd.config import ENVIRONMENT, Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "settings.md"
HEAD = """\
# Settings

*Made from the code by `make docs`; a test holds it against the code.*

Flags win over `PAGERD_…` in the environment, which wins over `pagerd.toml` in the folder of the start (or the file
that `--config` names), which wins over the defaults below. In the environment a table's name and a setting's are
joined by two underscores: `PAGERD_WORKER__LANES=16`. `pagerd check` says what is wrong, with file and line.

`pagerd dev` keeps its data in `./.pagerd` (`--data`), whatever `store` says.
"""
PROVIDERS = """\
## `[providers.NAME]`

One table a provider: `kind`, the settings of that kind, and

| setting | type | meaning |
| --- | --- | --- |
| `kind` | text | What it is: `smtp`. |
| `credential` | text | What it asks for; better not itself, but `env:NAME` or `file:PATH`. |
| `enabled` | true or false | Whether it is used; true where nothing is said. |

A provider of this file is read-only in the API. The first by name that is enabled carries its channel.

### kind `smtp`
"""


class Row(msgspec.Struct):
    """One setting: its full name, what it may be, what it is where nobody says, and what it means."""

    name: str
    type: str
    default: str
    meaning: str


def rows(kind: type[msgspec.Struct], path: tuple[str, ...] = ()) -> Iterator[Row]:
    """Give the settings of one table, tables inside it apart."""
    hints = get_type_hints(kind, include_extras=True)
    shapes = {field.encode_name: field for field in msgspec.inspect.type_info(kind).fields}
    for field in msgspec.structs.fields(kind):
        shape = shapes[field.encode_name]
        if not isinstance(_bare(shape.type), msgspec.inspect.StructType | msgspec.inspect.DictType):
            name = ".".join((*path, field.encode_name))
            yield Row(name, _type(shape.type), _default(field), _meaning(hints[field.name]))


def tables(kind: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Give the tables inside a table."""
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield name, hint


def page() -> str:
    """Return the page of all settings."""
    parts = [HEAD, _table(rows(Settings))]
    for name, kind in tables(Settings):
        parts += [f"## `[{name}]`\n\n{_paragraphs(kind)}\n", _table(rows(kind))]
    parts += [
        PROVIDERS,
        f"{_paragraphs(SmtpSettings).partition(chr(10) * 2)[2]}\n",
        _table(rows(SmtpSettings), meanings=False),
    ]
    parts.append(
        "## Not settings\n\n"
        f"`{ENVIRONMENT}DEBUG=1` shows where an unexpected error of a command comes from. pagerctl has settings\n"
        "of its own: `pagerctl --help`.\n"
    )
    return "\n".join(parts)


def _table(found: Iterator[Row], *, meanings: bool = True) -> str:
    lines = ["| setting | type | default |" + " meaning |" * meanings, "| --- | --- | --- |" + " --- |" * meanings]
    for row in found:
        cells = [f"`{row.name}`", row.type, row.default] + [row.meaning] * meanings
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _paragraphs(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").replace("``", "`")


def _bare(shape: Any) -> Any:
    return shape.type if isinstance(shape, msgspec.inspect.Metadata) else shape


def _type(shape: Any) -> str:
    bare = _bare(shape)
    match bare:
        case msgspec.inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in bare.values)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.StrType():
            return "text"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return f"{'whole number' if isinstance(bare, msgspec.inspect.IntType) else 'number'}{_range(bare)}"
        case msgspec.inspect.UnionType():
            return _type(next(one for one in bare.types if not isinstance(one, msgspec.inspect.NoneType)))
    return type(bare).__name__


def _range(shape: Any) -> str:
    if shape.ge is not None and shape.le is not None:
        return f", {shape.ge:g} to {shape.le:g}"
    if shape.ge is not None:
        return f", {shape.ge:g} or more"
    return f", more than {shape.gt:g}" if shape.gt is not None else ""


def _default(field: Any) -> str:
    if field.required:
        return "must be given"
    value = field.default
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _meaning(hint: Any) -> str:
    """Return what ``Meta(description=…)`` says of a setting."""
    notes = [note.description for note in getattr(hint, "__metadata__", ()) if isinstance(note, Meta)]
    return next((note for note in notes if note), "")


def main() -> int:
    """Write the page, or compare it."""
    new = page()
    if "--check" in sys.argv:
        current = PAGE.exists() and PAGE.read_text("utf-8") == new
        sys.stdout.write(f"{PAGE.relative_to(ROOT)} is {'current' if current else 'not current: make docs'}\n")
        return 0 if current else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(new, "utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
