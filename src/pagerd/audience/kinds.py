"""What each type of variable takes, from JSON and from the text of a CSV cell.

A value that fits comes back as plain JSON data: dates stay text, as RFC 3339 writes them. JSON is taken by its
type (``"12"`` is no number); text is read as the type wants it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from math import isfinite
from typing import Any, Final

import msgspec

from pagerd.audience.limits import DATA_DEPTH
from pagerd.audience.problems import shown
from pagerd.core.variables import VariableType

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**64 - 1
"""The integers that every encoding in use can carry."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.0{1,20})?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NUMBER_CHARS: Final = 400
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Unfit(ValueError):
    """A value is not of its type; the message ends the sentence that starts with the variable's name."""


def fits_64_bits(value: int) -> bool:
    """Tell whether every encoding can carry an integer."""
    return SMALLEST <= value <= LARGEST


def fits_as_is(value: Any) -> bool:
    """Tell whether a value can be carried: numbers that have an encoding, lists and objects not nested too deep."""
    return _carried(value, DATA_DEPTH)


def _carried(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind is str:
        return "\0" not in value and _is_text(value)
    if kind is int:
        return fits_64_bits(value)
    if kind is float:
        return isfinite(value)
    if kind is list:
        return depth > 0 and all(_carried(item, depth - 1) for item in value)
    if kind is dict:
        named = all(type(key) is str and _carried(key, 0) for key in value)
        return depth > 0 and named and all(_carried(item, depth - 1) for item in value.values())
    return value is None or kind is bool


def _is_text(value: str) -> bool:
    """Tell whether UTF-8 can carry a text: half of a surrogate pair it can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def from_json(kind: VariableType, value: Any) -> Any:
    """Return a JSON value as its declared type wants it; raise :class:`Unfit`."""
    if not fits_as_is(value):
        raise Unfit(f"can't be carried: a number beyond 64 bits, NUL, or nested deeper than {DATA_DEPTH}")
    if kind is VariableType.INTEGER and type(value) is float and value.is_integer():
        return from_json(kind, int(value))
    if type(value) not in JSON_TYPES[kind]:
        raise Unfit(f"must be {_A[kind]}, not {_GIVEN.get(type(value), 'that')}")
    if kind in (VariableType.DATE, VariableType.DATETIME):
        return FROM_TEXT[kind](value)
    return value


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text.strip()) is None:
        raise Unfit(f"must be a whole number, not {shown(text)}")
    value = int(text.partition(".")[0])
    if not fits_64_bits(value):
        raise Unfit(f"must be a whole number of at most 64 bits, not {shown(text)}")
    return value


def _number(text: str) -> int | float:
    bare = text.strip()
    if len(bare) > _NUMBER_CHARS or _NUMBER.fullmatch(bare) is None:
        hint = ": decimals are written with a point" if "," in text else ""
        raise Unfit(f"must be a number, not {shown(text)}{hint}")
    if bare.lstrip("+-").isdigit() and len(bare) < 19:
        return int(bare)
    value = float(bare)
    if not isfinite(value):
        raise Unfit(f"must be a number of usual size, not {shown(text)}")
    return value


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip().casefold())
    if value is None:
        raise Unfit(f"must be true or false, yes or no, 1 or 0, not {shown(text)}")
    return value


def _date(text: str) -> str:
    bare = text.strip()
    if _DATE.fullmatch(bare) is None or not _reads(date.fromisoformat, bare):
        raise Unfit(f"must be a date like 2026-11-30, not {shown(text)}")
    return bare


def _datetime(text: str) -> str:
    bare = text.strip()
    if _DATETIME.fullmatch(bare) is None or not _reads(datetime.fromisoformat, bare.upper()):
        raise Unfit(f"must be a date and time with its offset, like 2026-11-30T09:00:00+01:00, not {shown(text)}")
    return bare


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _list(text: str) -> list[Any]:
    value = _json(text)
    if type(value) is not list:
        raise Unfit(f'must be a list: write JSON like ["a", "b"], or repeat the column, not {shown(text)}')
    return value


def _object(text: str) -> dict[str, Any]:
    value = _json(text)
    if type(value) is not dict:
        raise Unfit(f'must be an object: write JSON like {{"a": 1}}, not {shown(text)}')
    return value


def _json(text: str) -> Any:
    """Return the value of a JSON text; ``None`` for what is none or could not be carried."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if fits_as_is(value) else None


JSON_TYPES: Final[dict[VariableType, frozenset[type]]] = {
    VariableType.ANY: frozenset({str, int, float, bool, list, dict}),
    VariableType.STRING: frozenset({str}),
    VariableType.INTEGER: frozenset({int}),
    VariableType.NUMBER: frozenset({int, float}),
    VariableType.BOOLEAN: frozenset({bool}),
    VariableType.DATE: frozenset({str}),
    VariableType.DATETIME: frozenset({str}),
    VariableType.LIST: frozenset({list}),
    VariableType.OBJECT: frozenset({dict}),
}
"""What JSON may hold for each type (``type(True)`` is not ``int``)."""

FROM_TEXT: Final[dict[VariableType, Callable[[str], Any]]] = {
    VariableType.INTEGER: _integer,
    VariableType.NUMBER: _number,
    VariableType.BOOLEAN: _boolean,
    VariableType.DATE: _date,
    VariableType.DATETIME: _datetime,
    VariableType.LIST: _list,
    VariableType.OBJECT: _object,
}
"""How the text of a cell becomes each type; ``any`` and ``string`` stay text."""

_A: Final = {
    VariableType.STRING: "text",
    VariableType.INTEGER: "a whole number",
    VariableType.NUMBER: "a number",
    VariableType.BOOLEAN: "true or false",
    VariableType.DATE: "a date like 2026-11-30",
    VariableType.DATETIME: "a date and time with its offset, like 2026-11-30T09:00:00+01:00",
    VariableType.LIST: "a list",
    VariableType.OBJECT: "an object",
}
_GIVEN: Final = {
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
