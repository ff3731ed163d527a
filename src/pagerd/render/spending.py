"""What one rendering may build: checked before the engine builds it, for there a failed allocation ends the process.

The engine's own limits are instructions (fuel) and, after the fact, the length of what came out. One instruction can
ask for gigabytes: ``|indent(n)`` with a person's ``n``, a big value printed once per row, a string that doubles in a
loop. So a template that repeats or multiplies (see :mod:`pagerd.render.multiplying`) is rendered in an environment
that measures: prints, what ``set`` and loops carry on, ``range``, and the filters whose output may dwarf their input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from minijinja import Environment, pass_state

from pagerd.render.limits import BUILT_CHARS, OUTPUT_CHARS

_LISTS: Final = frozenset({list, tuple})
_CELL: Final = 8
_CARRIED_SHARE: Final = 16
"""A carried string costs its sixteenth: it replaces the one before, but was copied."""


class TooMuch(Exception):
    """A rendering asks for more than it may build."""


class Spending:
    """Counts what one rendering builds, in characters; :meth:`begin` before each."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = BUILT_CHARS

    def begin(self) -> None:
        """Start from nothing."""
        self._left = BUILT_CHARS

    def build(self, size: int) -> None:
        """Take note that a value of ``size`` characters or cells is about to be built; raise :class:`TooMuch`."""
        if size > OUTPUT_CHARS:
            raise TooMuch(f"a value of more than {OUTPUT_CHARS} characters was about to be made")
        self._spend(size)

    def print(self, value: Any) -> None:
        """Take note of a printed value."""
        kind = value.__class__
        if kind is not int and kind is not float:
            self._spend(len(value) if isinstance(value, str) else len(str(value)))

    def carry(self, value: Any) -> bool:
        """Take note of a value that a name was given; false, so that ``{% if x is carried %}`` prints nothing."""
        if isinstance(value, str):
            if len(value) > OUTPUT_CHARS:
                self.build(len(value))
            self._spend(len(value) // _CARRIED_SHARE)
        elif value.__class__ in _LISTS:  # made by the template; what came as data is not built by looking at it
            self._spend(_cells(value))
        elif value.__class__ is dict:  # a mapping, or all of a namespace
            self._spend(_cells(item for item in value.values() if not isinstance(item, str)))
            for item in value.values():
                if isinstance(item, str):
                    self.carry(item)
        return False

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooMuch(f"more than {BUILT_CHARS} characters were about to be made on the way to one message")


def _cells(items: Iterable[Any]) -> int:
    """Return what a list that the template made weighs, lists in it included; data in it weighs nothing more."""
    weight = 0
    for item in items:
        weight += _CELL
        if isinstance(item, str):
            weight += len(item)
        elif item.__class__ in _LISTS:
            weight += _cells(item)
        elif item.__class__ is dict:
            weight += _cells(item.values())
    return weight


def measured(spending: Spending) -> dict[str, Callable[..., Any]]:
    """Return the filters that look at the size of what they are asked for, then leave it to the engine's own."""
    return {name: _measured(name, size, spending) for name, size in _SIZES.items()}


def bounded_range(spending: Spending) -> Callable[..., range]:
    """Return ``range``, each element of which counts."""

    def bounded(*bounds: float) -> range:
        found = range(*(int(bound) if bound == int(bound) else bound for bound in bounds))  # type: ignore[arg-type]
        spending.build(len(found))
        return found

    return bounded


def _measured(name: str, size: Callable[..., int], spending: Spending) -> Callable[..., Any]:
    @pass_state
    def run(state: Any, value: Any, *args: Any, **named: Any) -> Any:
        if value is None and name in _NEED_TEXT:  # the engine hands over nothing for undefined, too
            raise TypeError(f"what is undefined or null has no {name}: give it a default")
        try:
            wanted = size(value, *args, **named)
        except (TypeError, ValueError, AttributeError):
            wanted = 0  # the engine's own words for wrong arguments are better
        spending.build(wanted)
        return _by_the_engine(name, state.auto_escape, value, args, named)

    return run


def _indented(text: Any, width: int = 4, *_: Any, **__: Any) -> int:
    source = str(text)
    return len(source) + (source.count("\n") + 1) * width


def _replaced(text: Any, old: Any, new: Any, *_: Any) -> int:
    source, before, after = str(text), str(old), str(new)
    return len(source) + source.count(before) * max(0, len(after) - len(before))


def _joined(items: Any, between: Any = "", **_: Any) -> int:
    found = [len(str(item)) for item in items]
    return sum(found) + len(found) * len(str(between))


def _formatted(form: Any, *args: Any, **named: Any) -> int:
    """Return an upper bound: every number in the form may be a width or a precision."""
    numbers = "".join(char if char.isdecimal() else " " for char in str(form)).split()
    longest = sum(len(str(value)) for value in (*args, *named.values()))
    return len(str(form)) * (1 + longest) + sum(min(int(number[:12]), OUTPUT_CHARS + 1) for number in numbers)


def _portioned(items: Any, count: int, *_: Any, **__: Any) -> int:
    return len(items) + count


def _as_json(value: Any, indent: Any = None, **_: Any) -> int:
    """Return an upper bound: each line is as deep as the value."""
    width = int(indent) if indent is not None else 0
    text = str(value)
    return len(text) * 2 + width * (1 + sum(map(text.count, ",[]{}"))) * min(_depth(value), 200)


def _depth(value: Any) -> int:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(item) for item in inner), default=0)


def _mapped(items: Any, name: Any = None, *args: Any, **named: Any) -> int:
    """Return the sum of what a measured filter makes of each item; any other is linear."""
    size = _SIZES.get(str(name))
    found = list(items)
    return len(found) + (sum(size(item, *args, **named) for item in found) if size is not None else 0)


_SIZES: Final[dict[str, Callable[..., int]]] = {
    "indent": _indented,
    "replace": _replaced,
    "join": _joined,
    "format": _formatted,
    "batch": _portioned,
    "slice": _portioned,
    "tojson": _as_json,
    "map": _mapped,
}
_NEED_TEXT: Final = frozenset({"indent", "replace", "format"})

MULTIPLYING_FILTERS: Final = frozenset(_SIZES)
"""Filters whose output may dwarf their input."""


def _by_the_engine(name: str, escaped: str | None, value: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Return what the engine's own filter makes of it, safe or not as the engine says where text is ``escaped`` so."""
    form = f"{name}{'.named' if named else ''}.{escaped or _UNESCAPED}"
    _engine.render_template(form, value=value, args=args, named=named)
    return _kept.pop()


def _keep(value: Any) -> str:
    _kept.append(value)
    return ""


_UNESCAPED: Final = "txt"
_kept: Final[list[Any]] = []


def _plain_engine() -> Environment:
    environment = Environment(undefined_behavior="strict")
    environment.add_global("keep", _keep)
    for name in _SIZES:
        for ending in ("html", "json", _UNESCAPED):
            environment.add_template(f"{name}.{ending}", f"{{{{ keep(value|{name}(*args)) }}}}")
            environment.add_template(f"{name}.named.{ending}", f"{{{{ keep(value|{name}(*args, **named)) }}}}")
    return environment


_engine: Final = _plain_engine()
