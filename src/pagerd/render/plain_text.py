"""Plain text from HTML: what a person without HTML, or a screen reader, is told in its stead.

The text is derived from the HTML *template*, once, so that a message costs one more rendering and nothing else: tags
of the template language keep their places, static markup becomes words and line breaks. Where that can't be right
(the template marks values as safe HTML, captures blocks, opens a link in one branch and closes it in another …) the
answer is ``None``, and the text is derived from each rendered HTML instead.
"""

from __future__ import annotations

import re
from typing import Final

from pagerd.render.markup import APART, CELL, HARD_SPACE, LINE, Reader, Unsteady
from pagerd.render.source import Kind, Segment, closing_length, scan

_PLANE: Final = 0xF0000
_PLACEHOLDERS: Final = re.compile("[\U000f0000-\U0010ffff]")
_UNTRANSLATABLE: Final = frozenset({"autoescape", "macro", "call", "filter"})
_ESCAPING: Final = frozenset({"safe", "escape", "e", "escaped", "caller"})


def text_of(html: str) -> str:
    """Return the text of rendered HTML."""
    return laid_out(_condensed(Reader().read(html)))


def text_template(source: str) -> str | None:
    """Return a template whose rendering, laid out, is the text of what ``source`` renders to; ``None`` if none can be.

    ``source`` must be a template that compiles.
    """
    segments = scan(source)
    if _PLACEHOLDERS.search(source) or not all(map(_translatable, segments)):
        return None
    marked, tags = _marked(source, segments)
    try:
        pieces = Reader(tags).read(marked)
    except Unsteady:
        return None
    derived = _written(_condensed(pieces), tags)
    return derived if _blocks(scan(derived)) == _blocks(segments) else None


def laid_out(text: str) -> str:
    """Return derived text with its spaces and line breaks in order."""
    while "  " in text:
        text = text.replace("  ", " ")
    text = "\n".join(filter(None, map(str.strip, text.split("\n"))))
    while _TWICE in text:
        text = text.replace(_TWICE, APART)
    text = text.replace(APART, "\n\n").strip(APART)
    return text.replace(CELL, "  ").replace(HARD_SPACE, " ")


_TWICE: Final = APART + APART.lstrip()


def _translatable(segment: Segment) -> bool:
    """Tell whether a segment means the same in text as in HTML."""
    if segment.kind is Kind.RAW or segment.statement in _UNTRANSLATABLE:
        return False
    if segment.statement == "set" and all(token.text != "=" for token in segment.tokens):
        return False
    return not any(token.kind == "name" and token.text in _ESCAPING for token in segment.tokens)


def _marked(source: str, segments: list[Segment]) -> tuple[str, dict[str, tuple[Segment, str]]]:
    """Return the source with one character for each tag, the same for the same tag, and what each stands for.

    Trim marks are carried out here, for in the derived text there are other spaces to trim.
    """
    out: list[str] = []
    tags: dict[str, tuple[Segment, str]] = {}
    marks: dict[str, str] = {}
    trim = False
    for segment in segments:
        whole = source[segment.start : segment.end]
        if segment.kind is Kind.TEXT:
            out.append(whole.lstrip() if trim else whole)
            trim = False
            continue
        if whole[2] == "-":
            out[:] = ["".join(out).rstrip()]
        trim = closing_length(source, segment) == 3 and source[segment.end - 3] == "-"
        if segment.kind is not Kind.COMMENT:
            tag = _untrimmed(source, segment)
            mark = marks.setdefault(tag, chr(_PLANE + len(marks)))
            tags[mark] = (segment, tag)
            out.append(mark)
    return "".join(out), tags


def _untrimmed(source: str, segment: Segment) -> str:
    """Return a tag without trim marks."""
    begin = segment.start + (3 if source[segment.start + 2] in "-+" else 2)
    end = segment.end - closing_length(source, segment)
    opening, closing = ("{{", "}}") if segment.kind is Kind.PRINT else ("{%", "%}")
    return f"{opening} {source[begin:end].strip()} {closing}"


_GAPS: Final = re.compile(rf"[ {LINE}{APART}{CELL}]*[{LINE}{APART}{CELL}][ {LINE}{APART}{CELL}]*")


def _condensed(pieces: list[str]) -> str:
    """Return the pieces as one, each run of breaks and gaps as the one that it is: fewer are left for each message."""
    return _GAPS.sub(lambda run: _widest(run.group()), "".join(pieces))


def _widest(run: str) -> str:
    """Return the gap that a run of gaps is."""
    if APART[1] in run:
        return APART
    return LINE if LINE in run else CELL


def _written(text: str, tags: dict[str, tuple[Segment, str]]) -> str:
    """Return derived text as template source: its own braces are no tags."""
    out = text.replace("{", '{{ "{" }}')
    return _PLACEHOLDERS.sub(lambda mark: tags[mark.group()][1], out)


def _blocks(segments: list[Segment]) -> list[tuple[str, ...]]:
    """Return the block tags, in order, as words: what must be the same before and after."""
    return [tuple(token.text for token in segment.tokens) for segment in segments if segment.kind is Kind.BLOCK]
