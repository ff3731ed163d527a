"""What is wrong with a row, and the list of it that an answer carries."""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core.errors import Fault, Invalid

Step = str | int

_SHOWN_CHARS: Final = 40


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a row: ``path`` leads to it in the recipient object, as in ``("data", "total")``.

    ``column`` counts characters from 1 in the row's line, where only the reader could know it.
    """

    code: str
    detail: str
    path: tuple[Step, ...] = ()
    column: int | None = None


class Faults:
    """The first 100 faults of an input, and how many there were."""

    __slots__ = ("count", "kept")

    def __init__(self) -> None:
        self.kept: list[Fault] = []
        self.count = 0

    def add(self, fault: Fault) -> None:
        """Count a fault, and keep it if there is room."""
        self.count += 1
        if not self.full:
            self.kept.append(fault)

    @property
    def full(self) -> bool:
        """Whether further faults are only counted: then their place need not be worked out."""
        return len(self.kept) >= Invalid.SHOWN

    def refuse(self) -> None:
        """Raise the :meth:`refusal` if anything is wrong."""
        if self.count:
            raise self.refusal()

    def refusal(self) -> Invalid:
        """Return the error that carries everything kept."""
        more = f" (the first of {self.count} things that are wrong with the audience)" if self.count > 1 else ""
        detail = self.kept[0].detail + more if self.kept else ""
        return Invalid(detail, faults=self.kept, count=self.count, code="audience_invalid")

    def fatal(self, fault: Fault) -> Invalid:
        """Return the error that ends the reading of a file: ``fault`` comes first, then what was found before it."""
        return Invalid(fault.detail, faults=[fault, *self.kept], count=self.count + 1, code=fault.code)


def pointer(path: tuple[Step, ...]) -> str:
    """Return a path as JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def shown(text: str) -> str:
    """Return a piece of somebody's input as it may stand in a message: quoted, short, printable."""
    short = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
    return '"' + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short) + '"'


def storable(text: str, limit: int) -> str:
    """Return the first ``limit`` characters of any text as text that UTF-8 can carry."""
    return text[:limit].encode("utf-8", "replace").decode()
