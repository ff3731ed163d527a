"""How pagerctl speaks: results to standard output, everything else to standard error, nothing that moves a cursor.

Names, addresses and providers' words come from strangers. Whatever could steer a terminal or turn a line around is
made visible, by its number, before it is printed; in JSON it is written as an escape, which is the same JSON still.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import rich_click as click

_STEERS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""C0, DEL, C1, marks of direction and of lines, a byte order mark, halves of pairs. Joiners stay: names need them."""

COLOURS: Final[Mapping[str, str]] = {
    "completed": "green",
    "succeeded": "green",
    "accepted": "green",
    "running": "cyan",
    "paused": "yellow",
    "deferred": "yellow",
    "in_doubt": "yellow",
    "completed_with_failures": "yellow",
    "failed": "red",
    "rejected": "red",
    "dead": "red",
    "unknown": "red",
    "cancelled": "magenta",
    "expired": "magenta",
}


def visible(text: object) -> str:
    """Return a text in one line, in which nothing steers a terminal."""
    return _STEERS.sub(_escape, str(text))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return {10: "\\n", 13: "\\r", 9: "\\t"}.get(number, f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def say(text: str = "") -> None:
    """Print a line of a result. Styles (:func:`coloured`) go off a terminal."""
    click.echo(text)


def note(text: str = "") -> None:
    """Print a line about the work to standard error."""
    click.echo(text, err=True)


def coloured(word: str, like: str = "") -> str:
    """Return a state in its colour."""
    colour = COLOURS.get(like or word)
    return click.style(word, fg=colour) if colour else word


def show_json(value: Any) -> None:
    """Print a value as one line of JSON; what steers a terminal is written as an escape."""
    import msgspec

    text = msgspec.json.encode(value, enc_hook=str).decode("utf-8")
    click.echo(_STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def count(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


def plural(number: int, word: str, words: str = "") -> str:
    """Return ``1 person``, ``1,000 people``."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def table(rows: Iterable[Sequence[object]], heads: Sequence[str] = ()) -> None:
    """Print rows in columns. Cells are never cut: what is piped elsewhere is whole. A cell's state keeps its colour."""
    from rich.cells import cell_len

    texts = [[visible("" if cell is None else cell) for cell in row] for row in rows]
    if heads and texts:
        texts.insert(0, [head.upper() for head in heads])
    widths = [max(map(cell_len, column), default=0) for column in zip(*texts, strict=True)]
    for number, row in enumerate(texts):
        cells = (
            _styled(text, head=bool(heads) and number == 0) + " " * (width - cell_len(text))
            for text, width in zip(row, widths, strict=True)
        )
        say("  ".join(cells).rstrip())


def _styled(text: str, *, head: bool) -> str:
    return click.style(text, bold=True) if head else coloured(text)
