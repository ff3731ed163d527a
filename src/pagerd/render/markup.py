"""Reads HTML as mails hold it, tag by tag, and says it in plain words.

Paragraphs and headings stand apart, list items get a mark, cells of a row stand side by side, links show where they
lead, pictures are what their ``alt`` says; styles, scripts, comments and whatever is hidden say nothing.

In the source of a template, each tag of the template language is one character of a private plane, given in ``tags``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

import msgspec

from pagerd.render.source import Kind, Segment
from pagerd.render.words import words

HARD_SPACE: Final = "\x01"
"""A space that the layout keeps."""
CELL: Final = "\x1f"
"""The gap between two cells of a row; Python takes it for white space, so a line does not begin or end with it."""
LINE: Final = "\n"
"""What follows stands on a line of its own; any number of them is one."""
APART: Final = "\n\x04\n"
"""What follows stands apart, behind a blank line; any number of them is one."""

_MARK: Final = re.compile("([\U000f0000-\U0010ffff])")
_ELEMENT: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?][^>]*>|<(?P<end>/?)(?P<name>[A-Za-z][^\s/>]*)(?P<rest>(?:\"[^\"]*\"|'[^']*'|[^'\">])*)>",
    re.DOTALL,
)
_RAW_END: Final = {
    name: re.compile(rf"<(?P<end>/)(?P<name>{name})(?P<rest>[^>]*)>", re.IGNORECASE) for name in ("script", "style")
}
_ATTRIBUTE: Final = re.compile(r"([^\s=>\"'/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_HIDING: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_STARTS_TAG: Final = re.compile("</?[\U000f0000-\U0010ffff]")

_APART: Final = words("p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre hr figure fieldset")
_LINES: Final = words(
    "address article aside body caption center dd div dt footer form header html li main nav section tr"
)
_SILENT: Final = words("head script style template title noscript svg object select textarea")
_VOID: Final = words("area base br col embed hr img input link meta source track wbr")


class Unsteady(Exception):
    """What the markup says depends on the person's data in a way that one text template can't follow."""


class _Open(msgspec.Struct):
    """An element that is remembered until it ends: where its text begins, and in which branch of the template."""

    name: str
    branch: tuple[int, ...]
    begin: int
    href: str = ""
    count: int = 0
    depth: int = 1


class Reader:
    """Reads one document. Raises :class:`Unsteady` only where ``tags`` are given."""

    def __init__(self, tags: Mapping[str, tuple[Segment, str]] | None = None) -> None:
        self._tags = tags or {}
        self._out: list[str] = []
        self._branch: tuple[int, ...] = ()
        self._branches = 0
        self._lists: list[_Open] = []
        self._link: _Open | None = None
        self._hidden: _Open | None = None
        self._pre = 0
        self._after_mark = False

    def read(self, html: str) -> list[str]:
        """Return the pieces of the text, to be joined and laid out."""
        if self._tags and _STARTS_TAG.search(html):
            raise Unsteady
        at = 0
        while element := self._next(html, at):
            self._text(html[at : element.start()])
            at = element.end()
            if element["name"] is None:
                self._silently(element.group())
            elif element["end"]:
                self._end(element["name"].lower())
            else:
                self._start(element["name"].lower(), element["rest"])
        self._text(html[at:])
        if self._tags and (self._link or self._hidden):
            raise Unsteady
        return self._out

    def _next(self, html: str, at: int) -> re.Match[str] | None:
        """Return the next element, comment or declaration; inside a script or style that is its end."""
        raw = _RAW_END.get(self._hidden.name) if self._hidden else None
        return (raw or _ELEMENT).search(html, at)

    def _text(self, raw: str) -> None:
        """Take text between elements."""
        for piece in _MARK.split(raw) if self._tags else [raw]:
            if piece in self._tags:
                self._mark(piece)
            elif piece and self._hidden is None:
                self._say(self._spaced(piece))

    def _spaced(self, raw: str) -> str:
        """Return text with the spaces that HTML would show."""
        if self._pre:
            return unescape(raw).replace(" ", HARD_SPACE).replace("\n\n", f"\n{HARD_SPACE}\n")
        return unescape(_SPACE.sub(" ", raw)).replace("\xa0", HARD_SPACE)

    def _say(self, text: str) -> None:
        """Put out words."""
        if text.strip():
            self._after_mark = False
        self._out.append(text)

    def _break(self, lines: str) -> None:
        """Put out line breaks, but not between a list item's mark and its first words."""
        if self._hidden is None and not self._after_mark:
            self._out.append(lines)

    def _mark(self, mark: str) -> None:
        """Take a tag of the template language: blocks always stay, values only where they are seen."""
        segment = self._tags[mark][0]
        if segment.kind is Kind.PRINT:
            if self._hidden is None:
                self._say(mark)
            return
        if self._pre or (self._lists and self._lists[-1].name == "ol"):
            raise Unsteady
        self._follow(segment.statement)
        self._out.append(mark)

    def _follow(self, statement: str) -> None:
        """Keep track of the branch in which the markup stands."""
        if statement.startswith("end") or statement in ("else", "elif"):
            self._branch = self._branch[:-1]
        if statement in ("if", "for", "with", "block", "else", "elif"):
            self._branches += 1
            self._branch = (*self._branch, self._branches)

    def _silently(self, raw: str) -> None:
        """Take a comment, a declaration or an attribute list: only the template's blocks in it count."""
        for piece in _MARK.split(raw) if self._tags else ():
            if piece in self._tags and self._tags[piece][0].kind is Kind.BLOCK:
                self._mark(piece)

    def _opened(self, name: str, href: str = "") -> _Open:
        """Return a note about an element that begins here."""
        return _Open(name, self._branch, len(self._out), href)

    def _closed(self, note: _Open) -> None:
        """Refuse an element that ends in another branch than it began."""
        if note.branch != self._branch:
            raise Unsteady

    def _start(self, name: str, rest: str) -> None:
        """Take a start tag."""
        found = _ATTRIBUTE.findall(rest)
        self._steady_names(name, [key for key, *_ in found])
        attributes = {_MARK.sub("", key).lower(): unescape(a or b or c) for key, a, b, c in found}
        self._steady(name, rest, attributes)
        if name not in ("a", "img"):
            self._silently(rest)
        if self._hidden is not None:
            self._hidden.depth += name == self._hidden.name and name not in _VOID
            return
        hidden = name in _SILENT or "hidden" in attributes or bool(_HIDING.search(attributes.get("style", "")))
        if hidden and name not in _VOID:
            self._hidden = self._opened(name)
        elif not hidden:
            self._begin(name, attributes)

    def _marked(self, text: str, kind: Kind) -> bool:
        """Tell whether a tag of the template language, of a kind, stands in a text."""
        return any(self._tags[mark][0].kind is kind for mark in _MARK.findall(text) if mark in self._tags)

    def _steady_names(self, name: str, keys: list[str]) -> None:
        """Refuse an element or attribute whose very name is a value."""
        if self._tags and (_MARK.search(name) or any(self._marked(key, Kind.PRINT) for key in keys)):
            raise Unsteady

    def _steady(self, name: str, rest: str, attributes: dict[str, str]) -> None:
        """Refuse a start tag whose meaning a value or a branch decides."""
        if not self._tags:
            return
        style = attributes.get("style", "")
        if "display" in style and _MARK.search(style):
            raise Unsteady
        decisive = name in ("a", "img") or "hidden" in attributes or _HIDING.search(style)
        if decisive and self._marked(rest, Kind.BLOCK):
            raise Unsteady

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        """Say what a visible element says where it begins."""
        if name == "br":
            last = next((piece for piece in reversed(self._out) if piece != " "), "")
            self._out.append(APART if last == LINE else LINE)
        elif name == "hr":
            self._out.append(f"{APART}---{APART}")
        elif name == "img":
            self._say(_SPACE.sub(" ", attributes.get("alt", "")))
        elif name in ("td", "th"):
            self._out.append(CELL)
        elif name == "a":
            if self._link and self._tags:
                raise Unsteady
            self._link = self._opened("a", attributes.get("href", "").strip())
        elif name == "li":
            self._item()
        else:
            self._block(name)
            self._pre += name == "pre"
            if name in ("ul", "ol"):
                self._lists.append(self._opened(name))

    def _item(self) -> None:
        """Begin a list item."""
        inner = self._lists[-1] if self._lists else None
        self._after_mark = False
        self._break(LINE + HARD_SPACE * 2 * (len(self._lists) - 1))
        if inner is not None and inner.name == "ol":
            inner.count += 1
            self._out.append(f"{inner.count}.{HARD_SPACE}")
        else:
            self._out.append("-" + HARD_SPACE)
        self._after_mark = True

    def _block(self, name: str) -> None:
        """Break the line around a block; a list inside a list does not stand apart."""
        if name in _APART and not (name in ("ul", "ol") and self._lists):
            self._break(APART)
        elif name in _APART or name in _LINES:
            self._break(LINE)

    def _end(self, name: str) -> None:
        """Take an end tag."""
        if self._hidden is not None:
            self._unhide(name)
        elif name == "a":
            self._unlink()
        elif name == "li":
            self._after_mark = False
            self._break(LINE)
        elif name not in _VOID:
            self._pre = max(0, self._pre - (name == "pre"))
            if self._lists and name == self._lists[-1].name:
                self._closed(self._lists.pop())
            self._block(name)

    def _unhide(self, name: str) -> None:
        """End a hidden element, if this is its end."""
        hidden = self._hidden
        if hidden is None or name != hidden.name:
            return
        hidden.depth -= 1
        if hidden.depth == 0:
            self._closed(hidden)
            self._hidden = None

    def _unlink(self) -> None:
        """End a link: show where it leads, unless its words say that already."""
        link, self._link = self._link, None
        if link is None:
            return
        self._closed(link)
        words = "".join(self._out[link.begin :]).strip().strip(CELL + HARD_SPACE)
        if self._marked(words, Kind.BLOCK):
            raise Unsteady
        shown = link.href.removeprefix("mailto:").removeprefix("tel:")
        if not shown or shown.startswith("#") or shown.lower().startswith("javascript:"):
            return
        if not words:
            self._say(shown)
        elif words not in (link.href, shown):
            self._say(f" ({shown})")
