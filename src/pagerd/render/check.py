"""What is wrong with one part: all that can be known before anybody's data is there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

import msgspec
from minijinja import Environment, TemplateError

from pagerd.core.errors import Fault
from pagerd.core.nearest import did_you_mean
from pagerd.render import engine
from pagerd.render.faults import Part, characters
from pagerd.render.limits import BRANCHES, OPERATORS, SOURCE_BYTES, TAG_CHARS
from pagerd.render.multiplying import OPERATORS as MULTIPLYING
from pagerd.render.source import Kind, Segment, Token, scan
from pagerd.render.words import words

_LOADING: Final = words("include extends import from")
_STATEMENTS: Final = words(
    "if elif else endif for endfor set endset with endwith block endblock filter endfilter macro endmacro call endcall"
    " autoescape endautoescape raw endraw do break continue"
)
_UNKNOWN_STATEMENT: Final = re.compile(r"unknown statement (\w+)")
_UNMEASURED: Final = words("format join replace")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]|=\?")


class Checked(msgspec.Struct):
    """What a part was found to be: its faults, and the outside names that it uses."""

    faults: list[Fault]
    names: set[str]


def check_part(part: Part, declared: Collection[str] | None) -> Checked:
    """Return the faults of a part; ``declared`` are the variables there are, ``None`` if any name may be one."""
    faults = _measured(part)
    if faults:
        return Checked(faults, set())
    segments = scan(part.source)
    faults = _bounded(part, segments) or _compiled(part, segments)
    if part.name == "subject":
        faults += _header_unsafe(part, segments)
    if part.name == "json":
        faults += _quoted(part, segments)
    if faults:
        return Checked(faults, set())
    uses = _Uses(segments)
    names = _outside_names(part)
    called = names & uses.calls.keys()
    names -= called
    faults = [*_unloadable(part, segments), *_unknown_words(part, uses), *_unknown_functions(part, uses, called)]
    faults += _unmeasured_methods(part, segments)
    if declared is not None:
        faults += _undeclared(part, uses, names, declared)
    return Checked(faults, names)


def _measured(part: Part) -> list[Fault]:
    """Return the fault of a part that is too big, or not text."""
    try:
        size = len(part.source.encode())
    except UnicodeEncodeError as error:
        return [part.fault("encoding", "an unpaired surrogate is not a character", error.start)]
    if size > SOURCE_BYTES:
        detail = f"{part.name} has {size} bytes; {SOURCE_BYTES} is the most that a part can have"
        return [part.fault("part_too_large", detail)]
    return []


def _bounded(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return faults of tags that the engine must not be asked to compile: its recursion would end the process."""
    for segment in segments:
        if segment.kind in (Kind.PRINT, Kind.BLOCK) and segment.end - segment.start > TAG_CHARS:
            detail = f"a tag of more than {TAG_CHARS} characters, or one that never ends"
            return [part.fault("tag_too_long", detail, segment.start)]
        operators = [token for token in segment.tokens if token.text in MULTIPLYING]
        if len(operators) > OPERATORS:
            detail = f"more than {OPERATORS} of ~, + and * in one tag: divide it"
            return [part.fault("tag_too_long", detail, operators[OPERATORS].at)]
    branches = [segment for segment in segments if segment.statement == "elif"]
    if len(branches) > BRANCHES:
        return [part.fault("too_many_branches", f"more than {BRANCHES} elif in one part", branches[BRANCHES].start)]
    return []


def _compiled(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return the engine's complaints: it stops at the first, so every lone ``{{ … }}`` behind that is tried too."""
    first = _syntax(part, 0, part.source)
    if first is None:
        return []
    at, fault = first
    later = (
        _syntax(part, segment.start, part.source[segment.start : segment.end])
        for segment in segments
        if segment.kind is Kind.PRINT and segment.start > at
    )
    return [fault, *(found[1] for found in later if found is not None)]


def _syntax(part: Part, start: int, piece: str) -> tuple[int, Fault] | None:
    """Return where a piece of the source, which begins at ``start``, is wrong, and the fault."""
    environment = engine.new_environment()
    try:
        environment.add_template(part.template, piece)
    except TemplateError as error:
        at = start + (characters(piece, error.range[0]) if error.range else 0)
        detail = error.detail or error.message
        unknown = _UNKNOWN_STATEMENT.match(detail)
        hint = did_you_mean(unknown[1], _STATEMENTS) if unknown and unknown[1] not in _STATEMENTS else ""
        return at, part.fault("template_syntax", detail + hint, at)
    return None


def _outside_names(part: Part) -> set[str]:
    """Return the names that a part, which compiles, takes from outside; the engine knows the scopes."""
    environment: Environment = engine.new_environment()
    environment.add_template(part.template, part.source)
    names = set(environment.undeclared_variables_in_template(part.template))
    return names - engine.GLOBALS - {"caller"}


def _header_unsafe(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return faults of a subject that could become more than one header."""
    begin = len(part.source) - len(part.source.lstrip())
    end = len(part.source.rstrip())
    faults = []
    for segment in segments:
        if segment.kind is not Kind.TEXT:
            continue
        unsafe = _UNSAFE.search(part.source, max(begin, segment.start), min(end, segment.end))
        if unsafe:
            what = "“=?”" if unsafe.group() == "=?" else "a line break or control character"
            faults.append(part.fault("header_injection", f"a subject can't hold {what}", unsafe.start()))
    return faults


def _quoted(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return a fault for each print in JSON that stands in quotes: the value brings its own."""
    return [
        part.fault("json_quotes", "a printed value brings its own quotes: take away those around it", segment.start)
        for segment in segments
        if segment.kind is Kind.PRINT
        and part.source[segment.start - 1 : segment.start] == '"' == part.source[segment.end : segment.end + 1]
    ]


class _Uses:
    """Where a part uses which words: filters, tests, calls and names, each by the offset of the first use."""

    def __init__(self, segments: list[Segment]) -> None:
        self.filters: dict[str, int] = {}
        self.tests: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.names: dict[str, int] = {}
        for segment in segments:
            for before, token, after in _neighbours(segment.tokens):
                if token.kind == "name":
                    self._place(before, token, after).setdefault(token.text, token.at)

    def _place(self, before: str, token: Token, after: str) -> dict[str, int]:
        """Return the table that a name belongs to, told by the words beside it."""
        if before in ("|", "filter"):
            return self.filters
        if before in ("is", "is not") and token.text != "not":
            return self.tests
        if before == "." or after == "=":
            return {}
        return self.calls if after == "(" else self.names


def _neighbours(tokens: tuple[Token, ...]) -> Iterator[tuple[str, Token, str]]:
    """Yield each token with the words before and after it: ``is not`` as one, ``filter`` only as a statement."""
    words = ["", *(token.text for token in tokens), ""]
    for index, token in enumerate(tokens):
        before = words[index]
        if before == "not" and index > 1 and words[index - 1] == "is":
            before = "is not"
        if before == "filter" and index > 1:
            before = ""
        yield before, token, words[index + 2]


def _unloadable(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return a fault for each statement that would load another template."""
    return [
        part.fault("not_supported_yet", f"{{% {segment.statement} %}} is not supported yet", segment.tokens[0].at)
        for segment in segments
        if segment.statement in _LOADING
    ]


def _unknown_words(part: Part, uses: _Uses) -> list[Fault]:
    """Return a fault for each filter and test that the engine does not have."""
    filters = [
        part.fault("unknown_filter", f"there is no filter {name!r}{did_you_mean(name, engine.FILTERS)}", at)
        for name, at in uses.filters.items()
        if not engine.knows_filter(name)
    ]
    tests = [
        part.fault("unknown_test", f"there is no test {name!r}{did_you_mean(name, engine.TESTS)}", at)
        for name, at in uses.tests.items()
        if not engine.knows_test(name)
    ]
    return filters + tests


def _unknown_functions(part: Part, uses: _Uses, called: set[str]) -> list[Fault]:
    """Return a fault for each call of something that is no function: variables hold data only."""
    return [
        part.fault("unknown_function", f"there is no function {name!r}{did_you_mean(name, engine.GLOBALS)}", at)
        for name, at in uses.calls.items()
        if name in called
    ]


def _unmeasured_methods(part: Part, segments: list[Segment]) -> list[Fault]:
    """Return a fault for each call of a text's method that can make gigabytes: the filter of that name is measured."""
    return [
        part.fault("method_not_filter", f"write |{token.text}(…) instead of .{token.text}(…)", token.at)
        for segment in segments
        for before, token, after in _neighbours(segment.tokens)
        if before == "." and after == "(" and token.text in _UNMEASURED
    ]


def _undeclared(part: Part, uses: _Uses, names: set[str], declared: Collection[str]) -> list[Fault]:
    """Return a fault for each name that is not a declared variable, where it stands first."""
    return [
        part.fault(
            "undeclared_variable",
            f"{name!r} is not a declared variable{did_you_mean(name, declared)}",
            uses.names.get(name, 0),
        )
        for name in sorted(names - set(declared), key=lambda name: uses.names.get(name, 0))
    ]
