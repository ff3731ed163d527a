"""Faults of a template, pointed at: variant, part, line, column, and the line itself with a caret under the place."""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core.errors import Fault

_SHOWN: Final = 100


class Part(msgspec.Struct, frozen=True):
    """One part of one variant, as its author wrote it; ``place`` is the variant's index in the draft."""

    variant: str
    place: int
    name: str
    source: str

    @property
    def pointer(self) -> str:
        """Return the JSON Pointer of this part in the draft."""
        return f"/variants/{self.place}/{self.name}"

    @property
    def template(self) -> str:
        """Return the name under which the engine knows this part; its ending decides the escaping."""
        return f"{self.variant}.{self.name}"

    def fault(self, code: str, detail: str, at: int | None = None) -> Fault:
        """Return a fault of this part; ``at`` is an offset in characters, ``None`` where the whole part is meant."""
        line, column, excerpt = (None, None, None) if at is None else pointed(self.source, at)
        return Fault(
            code=code,
            detail=detail,
            pointer=self.pointer,
            variant=self.variant,
            part=self.name,
            line=line,
            column=column,
            excerpt=excerpt,
        )


def pointed(source: str, at: int) -> tuple[int, int, str]:
    """Return (line, column, excerpt) of an offset: line and column from 1, the excerpt with a caret on a second line.

    A long line is cut to what surrounds the place; tabs before the caret stay tabs, so that it stands right.
    """
    begin = source.rfind("\n", 0, at) + 1
    end = source.find("\n", at)
    text = source[begin : len(source) if end < 0 else end].rstrip("\r")
    offset = at - begin
    left = max(0, offset - _SHOWN // 2)
    right = left + _SHOWN
    shown = ("…" if left else "") + text[left:right] + ("…" if right < len(text) else "")
    before = shown[: offset - left + bool(left)]
    caret = "".join("\t" if char == "\t" else " " for char in before) + "^"
    return source.count("\n", 0, at) + 1, offset + 1, f"{shown}\n{caret}"


def characters(source: str, offset: int) -> int:
    """Return the offset in characters for the engine's offset in UTF-8 bytes."""
    return offset if source.isascii() else len(source.encode()[:offset].decode(errors="ignore"))
