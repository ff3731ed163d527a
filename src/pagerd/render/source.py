"""A template's source, cut into text and tags: what the engine does not tell about what it compiled.

The engine compiles and renders; it does not say which filters a template uses, or where a name stands. This scanner
reads the same lexical rules (Jinja's): ``{{ … }}``, ``{% … %}``, ``{# … #}``, ``{% raw %}``, strings with escapes,
brackets that balance. It never fails: a tag without an end reaches to the end of the source.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

_OPEN: Final = re.compile(r"\{\{|\{%|\{#")
_RAW: Final = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW: Final = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<broken>[\"'])"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<op>==|!=|<=|>=|//|\*\*|.)",
    re.DOTALL,
)


class Kind(StrEnum):
    """What a segment of the source is."""

    TEXT = "text"
    PRINT = "print"
    BLOCK = "block"
    COMMENT = "comment"
    RAW = "raw"


class Token(NamedTuple):
    """A word inside a tag: its kind (``string``, ``name``, ``number``, ``op``), its text, its offset in the source."""

    kind: str
    text: str
    at: int


class Segment(NamedTuple):
    """A stretch of the source, ``[start, end)`` in characters; tags carry their tokens."""

    kind: Kind
    start: int
    end: int
    tokens: tuple[Token, ...] = ()

    @property
    def statement(self) -> str:
        """The first word of a block tag (``if``, ``endfor``), or nothing."""
        return self.tokens[0].text if self.kind is Kind.BLOCK and self.tokens else ""


def scan(source: str) -> list[Segment]:
    """Return the segments of ``source``, in order and without gaps."""
    segments = []
    at = 0
    while at < len(source):
        opening = _OPEN.search(source, at)
        start = opening.start() if opening else len(source)
        if start > at:
            segments.append(Segment(Kind.TEXT, at, start))
        if opening is None:
            break
        segment = _tag(source, start, opening.group())
        segments.append(segment)
        at = segment.end
    return segments


def _tag(source: str, start: int, opening: str) -> Segment:
    """Return the tag, comment or raw block that begins at ``start``."""
    if opening == "{#":
        end = source.find("#}", start + 2)
        return Segment(Kind.COMMENT, start, len(source) if end < 0 else end + 2)
    if opening == "{%" and (raw := _RAW.match(source, start)):
        closing = _END_RAW.search(source, raw.end())
        return Segment(Kind.RAW, start, closing.end() if closing else len(source))
    kind, close = (Kind.PRINT, "}") if opening == "{{" else (Kind.BLOCK, "%")
    return _expression(source, start, kind, close)


def _expression(source: str, start: int, kind: Kind, close: str) -> Segment:
    """Return the tag whose inside begins two characters after ``start`` and whose end is ``close`` and ``}``."""
    tokens: list[Token] = []
    depth = 0
    at = start + 2
    if source[at : at + 1] in ("-", "+"):
        at += 1
    while match := _TOKEN.match(source, at):
        group, text = str(match.lastgroup), match.group()
        if depth == 0 and text == close and source.startswith("}", at + 1):
            _drop_trim_mark(tokens, at)
            return Segment(kind, start, at + 2, tuple(tokens))
        if group == "broken":
            break
        if group != "space":
            tokens.append(Token(group, text, at))
            depth = max(0, depth + (text in "([{") - (text in ")]}")) if group == "op" else depth
        at = match.end()
    return Segment(kind, start, len(source), tuple(tokens))


def _drop_trim_mark(tokens: list[Token], end: int) -> None:
    """Forget the ``-`` or ``+`` of ``-%}`` and ``-}}``: it belongs to the end of the tag."""
    if tokens and tokens[-1].text in ("-", "+") and tokens[-1].at == end - 1:
        tokens.pop()


def closing_length(source: str, segment: Segment) -> int:
    """Return how many characters end a tag: two, or three with a trim mark."""
    return 3 if source[segment.end - 3] in "-+" and segment.end - segment.start > 4 else 2


_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:\r?\n|\Z)")


def tidied(source: str) -> str:
    """Return ``source`` so that a line that holds nothing but one block tag or comment leaves no line behind.

    The line break moves into the tag, where it means nothing, so that the engine's line numbers stay true.
    """
    out = []
    done = 0
    for segment in scan(source):
        if segment.kind not in (Kind.BLOCK, Kind.COMMENT):
            continue
        begin = source.rfind("\n", 0, segment.start) + 1
        rest = _REST_OF_LINE.match(source, segment.end)
        if begin < done or rest is None or source[begin : segment.start].strip(" \t"):
            continue
        cut = segment.end - closing_length(source, segment)
        out += [source[done:begin], source[segment.start : cut], rest.group(), source[cut : segment.end]]
        done = rest.end()
    return "".join(out) + source[done:]
