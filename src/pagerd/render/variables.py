"""A template's variables: are they declared right, does a value fit, and what a person's data becomes with them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from pagerd.core.errors import Fault
from pagerd.core.variables import Variable, VariableType
from pagerd.render.errors import RenderFailed
from pagerd.render.values import UNKNOWN, Facts, facts, nested_nulls, over
from pagerd.render.words import words

_NAME: Final = re.compile(r"[^\W\d]\w*")
_WORDS: Final = words("true false none True False None not and or in is if else loop self super")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _is_date(value: Any) -> bool:
    """Tell whether a value is an RFC 3339 full-date that exists."""
    return isinstance(value, str) and _DATE.fullmatch(value) is not None and _exists(dt.date.fromisoformat, value)


def _is_datetime(value: Any) -> bool:
    """Tell whether a value is an RFC 3339 date-time that exists."""
    if not isinstance(value, str) or _DATETIME.fullmatch(value) is None:
        return False
    return _exists(dt.datetime.fromisoformat, value.upper())


def _exists(parse: Callable[[str], object], value: str) -> bool:
    """Tell whether the calendar knows a moment."""
    try:
        parse(value)
    except ValueError:
        return False
    return True


_FITS: Final[dict[VariableType, Callable[[Any], bool]]] = {
    VariableType.ANY: lambda value: True,  # noqa: ARG005 (the table's shape)
    VariableType.STRING: lambda value: isinstance(value, str),
    VariableType.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    VariableType.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    VariableType.BOOLEAN: lambda value: isinstance(value, bool),
    VariableType.DATE: _is_date,
    VariableType.DATETIME: _is_datetime,
    VariableType.LIST: lambda value: isinstance(value, list),
    VariableType.OBJECT: lambda value: isinstance(value, dict),
}


def fits(kind: VariableType, value: Any) -> bool:
    """Tell whether a JSON value is of a declared type; null never is, but of ``any``."""
    return _FITS[kind](value)


def check_variables(variables: Sequence[Variable]) -> list[Fault]:
    """Return what is wrong with the declarations, each with its pointer into the draft."""
    faults = []
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        at = f"/variables/{index}"
        if not _NAME.fullmatch(variable.name) or variable.name in _WORDS:
            detail = f"{variable.name!r} can't be a variable's name: a letter or _ first, then letters, digits and _"
            faults.append(Fault(code="variable_name", detail=detail, pointer=f"{at}/name"))
        elif variable.name in seen:
            detail = f"{variable.name!r} is declared twice"
            faults.append(Fault(code="duplicate_variable", detail=detail, pointer=f"{at}/name"))
        seen.add(variable.name)
        faults += _misfits(variable, at)
    return faults


def _misfits(variable: Variable, at: str) -> list[Fault]:
    """Return the faults of one variable's default and example."""
    faults = []
    if variable.required and variable.default is not msgspec.UNSET:
        detail = f"{variable.name!r} is required and has a default: it can only be one of them"
        faults.append(Fault(code="required_with_default", detail=detail, pointer=f"{at}/required"))
    for field, value in (("default", variable.default), ("example", variable.example)):
        if value is msgspec.UNSET or value is None or fits(variable.type, value):
            continue
        shown = msgspec.json.encode(value).decode()[:60]
        detail = f"the {field} of {variable.name!r} must be of type {variable.type}, not {shown}"
        faults.append(Fault(code="variable_type", detail=detail, pointer=f"{at}/{field}"))
    return faults


def inferred(names: Iterable[str]) -> tuple[Variable, ...]:
    """Return the variables of a template that declares none: all that it uses are required and may hold anything."""
    return tuple(Variable(name=name, required=True) for name in sorted(names))


class Completion:
    """Fills one person's data up, over what all share and the defaults; made once per session and version."""

    __slots__ = ("_base", "_nulls", "_required", "_size")

    def __init__(self, variables: Sequence[Variable], shared: dict[str, Any]) -> None:
        given = {v.name: None if v.default is msgspec.UNSET else v.default for v in variables if not v.required}
        self._base = facts(given | shared)
        self._nulls = nested_nulls(self._base)
        self._size = len(msgspec.json.encode(given | shared))
        self._required = frozenset(v.name for v in variables if v.required)

    def complete(self, own: dict[str, Any], size: int = UNKNOWN) -> Facts:
        """Return everything that a template needs for one person: their own data wins, then the shared, then defaults.

        ``size`` is how many bytes ``own`` has at most, where somebody knows: small data is rendered quicker.
        An optional variable that nobody gave is null. Raise :class:`RenderFailed` (``missing_variable``) where a
        required one is missing, ``data_too_deep`` where lists and objects are nested by the hundred.
        """
        try:
            data = over(self._base, own, nulls=self._nulls, size=self._size + size)
        except RecursionError:
            raise RenderFailed("data_too_deep", "the data is nested too deep") from None
        if not self._required <= data.keys():
            missing = ", ".join(sorted(self._required - data.keys()))
            raise RenderFailed("missing_variable", f"no value for {missing}")
        return data
