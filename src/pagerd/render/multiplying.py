"""Which templates can make much of little, and how their source is written so that the engine measures it.

A template of plain ``{{ … }}`` and ``{% if %}`` makes about as much as it is given, and runs unmeasured. One that
loops, sets, calls macros or uses a filter that multiplies is measured (:mod:`pagerd.render.spending`). Prints are
seen by the engine's finalizer; what a name is given is shown to the test ``carried`` in a tag right behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isqrt
from typing import Final

from pagerd.render.limits import FUEL, LOOPED_CHARS, PLAIN_USES
from pagerd.render.source import Kind, Segment, Token, closing_length, scan
from pagerd.render.spending import MULTIPLYING_FILTERS
from pagerd.render.words import words

OPERATORS: Final = frozenset("~+*")
"""What makes one value of two."""
_MAKING: Final = OPERATORS | frozenset("[{")
_STATEMENTS: Final = words("for set with macro call filter")
_REPEATING: Final = words("for macro call")
_LIGHT: Final = words("if elif else endif endfor")
_ESCAPED: Final = 6
"""So many characters are made of one byte, at most: ``&quot;``; of packed numbers, fewer."""
_NAMES: Final = MULTIPLYING_FILTERS | words("range namespace")


def multiplies(source: str) -> bool:
    """Tell whether the template repeats or multiplies what it is given."""
    uses = 0
    for segment in scan(source):
        if segment.statement in _STATEMENTS:
            return True
        uses += (segment.kind is Kind.PRINT) + sum(token.text in OPERATORS for token in segment.tokens)
        if any(token.kind == "name" and token.text in _NAMES for token in segment.tokens):
            return True
    return uses > PLAIN_USES


def light_up_to(sources: Iterable[str]) -> int:
    """Return with how many bytes of data a template that repeats may run unmeasured all the same; 0: never.

    That is where it only loops, each loop over a value as it was given and none inside another: then each print runs at
    most once per byte of the data, and prints at most six characters for each of them.
    """
    most = LOOPED_CHARS
    for source in sources:
        prints, depth = 0, 0
        for segment in scan(source):
            if not _is_light(segment):
                return 0
            depth += (segment.statement == "for") - (segment.statement == "endfor")
            if depth > 1:
                return 0
            prints += depth * (segment.kind is Kind.PRINT)
        text = sum(_repeated(source))
        most = min(most, isqrt(LOOPED_CHARS // (2 * _ESCAPED * max(prints, 1))), LOOPED_CHARS // (2 * max(text, 1)))
    return most


def _is_light(segment: Segment) -> bool:
    """Tell whether a tag neither makes nor multiplies, and loops, if it does, over what it was given."""
    if segment.statement == "for":
        return all(
            (token.kind == "name" and token.text != "recursive") or token.text in ".," for token in segment.tokens
        )
    if segment.kind is Kind.BLOCK and segment.statement not in _LIGHT:
        return False
    return not any(
        token.text in OPERATORS or (token.kind == "name" and token.text in _NAMES) for token in segment.tokens
    )


def shown(source: str) -> str:
    """Return ``source`` with a look at each name that a tag gives a value to; lines stay where they are."""
    out, done = [], 0
    for segment in scan(source):
        names = _given(segment)
        if names:
            cut = segment.end - closing_length(source, segment)
            looks = "".join(f"{{% if {name} is defined and {name} is carried %}}{{% endif %}}" for name in names)
            # A trim mark belongs behind the looks: what it trims is the text after them.
            out += [source[done:cut], "%}", looks.removesuffix("%}"), source[cut : segment.end]]
            done = segment.end
    return "".join(out) + source[done:]


def fuel_for(sources: Iterable[str]) -> int:
    """Return the instructions that one rendering gets: fewer where a loop repeats long stretches of text."""
    longest = max((length for source in sources for length in _repeated(source)), default=1)
    return min(FUEL, 2 * LOOPED_CHARS // max(longest, 1))


def _repeated(source: str) -> Iterator[int]:
    """Yield the length of each stretch of text inside a loop or a macro."""
    depth = 0
    for segment in scan(source):
        if segment.statement in _REPEATING:
            depth += 1
        elif segment.statement.removeprefix("end") in _REPEATING:
            depth -= 1
        elif depth and segment.kind in (Kind.TEXT, Kind.RAW):
            yield segment.end - segment.start


def _given(segment: Segment) -> list[str]:
    """Return the names, dotted as written, to which a tag gives a value that it makes."""
    tokens = segment.tokens[1:]
    if segment.statement == "for":
        return _target(tokens, "in")
    if segment.statement == "set":
        return _target(tokens, "=")
    if segment.statement == "with":
        return _arguments(tokens, 0)
    if segment.statement == "macro" or (segment.statement == "call" and tokens[:1] and tokens[0].text == "("):
        return _arguments(tokens, 1)
    return []


def _target(tokens: tuple[Token, ...], word: str) -> list[str]:
    """Return the names before a word, where what stands behind it makes something new; a block has no such word."""
    at = next((index for index, token in enumerate(tokens) if token.text == word), len(tokens))
    if not _makes(tokens[at:]):
        return []
    target = tokens[:at]
    if any(token.text == "." for token in target):
        return ["".join(token.text for token in target)]
    return _names(target)


def _makes(tokens: tuple[Token, ...]) -> bool:
    """Tell whether an expression makes a value of several: an operator, or a list, mapping or tuple written out."""
    before = ""
    for token in tokens:
        if token.text in _MAKING or (token.text == "(" and before != "name"):
            return True
        before = token.kind
    return False


def _names(tokens: tuple[Token, ...]) -> list[str]:
    return [token.text for token in tokens if token.kind == "name"]


def _arguments(tokens: tuple[Token, ...], depth: int) -> list[str]:
    """Return the names that begin an argument: ``with a = 1, b = 2`` at depth 0, ``m(a, b=1)`` in the first bracket."""
    found, at, before = [], 0, ","
    for token in tokens:
        if token.kind == "name" and at == depth and before in ("(", ","):
            found.append(token.text)
        if token.kind == "op":
            at += (token.text in "([{") - (token.text in ")]}")
            if depth and not at:
                break
        before = token.text
    return found
