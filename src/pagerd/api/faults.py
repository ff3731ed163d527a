"""Everything that is wrong with a decoded value, at once, each with its JSON Pointer (RFC 6901).

The shape is a :mod:`msgspec` type, the same that decodes sound bodies at the speed of C; it is only walked here
when that decoding refused. What a shape can't say of itself are its :class:`~pagerd.api.rules.Rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NoReturn

import msgspec
from msgspec import inspect as shapes

from pagerd.api.rules import Rules, Time, given
from pagerd.core.errors import Fault, Invalid
from pagerd.core.nearest import did_you_mean

_ECHO: Final = 64
"""So much of a name is said back; longer ones have no nearest."""


class Faults:
    """The faults found so far: the first hundred, and how many there were."""

    def __init__(self, rules: Mapping[type, Rules]) -> None:
        self.rules = rules
        self.found: list[Fault] = []
        self.count = 0

    @property
    def full(self) -> bool:
        """Whether further ones are only counted."""
        return len(self.found) >= Invalid.SHOWN

    def add(self, code: str, pointer: str, detail: str) -> None:
        """Count one more."""
        self.count += 1
        if not self.full:
            self.found.append(Fault(code=code, detail=detail, pointer=pointer))

    def refuse(self) -> NoReturn:
        """Raise what was found; the error's own code is ``not_supported_yet`` when that is all there is."""
        codes = {fault.code for fault in self.found}
        code = "not_supported_yet" if codes == {"not_supported_yet"} else "invalid"
        first = self.found[0]
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        detail = f"{first.pointer or 'The body'}: {first.detail}{more}"
        raise Invalid(detail, faults=self.found, count=self.count, code=code)


def inspect(value: object, shape: type, rules: Mapping[type, Rules]) -> Faults:
    """Return everything that keeps ``value`` from being a ``shape``."""
    faults = Faults(rules)
    _walk(_described(shape), value, "", faults)
    return faults


@cache
def _described(shape: type) -> shapes.Type:
    return shapes.type_info(shape)


def _walk(shape: shapes.Type, value: Any, at: str, faults: Faults) -> None:
    shape = _member(shape, value)
    if not _fits(shape, value):
        faults.add("field_type", at, f"must be {_wanted(shape)}, not {kind_of(value)}")
    elif isinstance(shape, shapes.StructType):
        _walk_object(shape, value, at, faults)
    elif isinstance(shape, shapes.ListType):
        _check_length(shape, value, at, faults)
        for i, item in enumerate(value):
            _walk(shape.item_type, item, f"{at}/{i}", faults)
    else:
        _check_leaf(shape, value, at, faults)


def _member(shape: shapes.Type, value: object) -> shapes.Type:
    """Return which member of a union the value is meant to be: the one of its kind, or the only one."""
    shape = _bare(shape)
    if not isinstance(shape, shapes.UnionType):
        return shape
    members = [_bare(one) for one in shape.types if not isinstance(one, shapes.NoneType)]
    if value is None and len(members) < len(shape.types):
        return shapes.AnyType()
    return members[0] if len(members) == 1 else next((one for one in members if _fits(one, value)), shape)


def _bare(shape: shapes.Type) -> shapes.Type:
    """Return a shape without its description."""
    return shape.type if isinstance(shape, shapes.Metadata) else shape


def _walk_object(shape: shapes.StructType, value: dict[str, Any], at: str, faults: Faults) -> None:
    fields = {field.encode_name: field for field in shape.fields}
    rules = faults.rules.get(shape.cls, Rules())
    later = {one.name: one.instead_of for one in rules.later}
    for name, inner in value.items():
        if name in fields:
            _walk(fields[name].type, inner, f"{at}/{_escaped(name)}", faults)
        elif name in later:
            faults.add("not_supported_yet", f"{at}/{_escaped(name)}", f"{name} is not built yet")
        else:
            faults.add("field_unknown", f"{at}/{_escaped(name)}", _unknown(name, (*fields, *later), faults))
    covered = {later[name] for name in value if name in later}
    for name, field in fields.items():
        if field.required and name not in value and name not in covered:
            faults.add("field_missing", f"{at}/{_escaped(name)}", f"{name} is missing")
    _check_rules(rules, value, at, faults)


def _check_rules(rules: Rules, value: dict[str, Any], at: str, faults: Faults) -> None:
    for one, other in rules.apart:
        if value.get(one) is not None and value.get(other) is not None:
            faults.add("conflicting_fields", f"{at}/{other}", f"{one} and {other} exclude each other: give one")
    if not rules.one_of:
        return
    named = [name for name in rules.one_of if given(value.get(name))]
    if len(named) > 1:
        faults.add("conflicting_fields", f"{at}/{named[1]}", f"{' and '.join(named)} exclude each other: give one")
    elif not named and not any(one.name in value for one in rules.later):
        faults.add("field_missing", at, f"needs {' or '.join(rules.one_of)}")


def _check_leaf(shape: shapes.Type, value: Any, at: str, faults: Faults) -> None:
    if isinstance(shape, shapes.EnumType):
        _check_word([one.value for one in shape.cls], value, at, faults)
    elif isinstance(shape, shapes.LiteralType):
        _check_word(list(shape.values), value, at, faults)
    elif isinstance(shape, shapes.IntType | shapes.FloatType):
        _check_range(shape, value, at, faults)
    elif isinstance(shape, shapes.StrType):
        _check_length(shape, value, at, faults)
    elif isinstance(shape, shapes.DateTimeType):
        _check_time(value, at, faults)


def _check_word(words: list[Any], value: str, at: str, faults: Faults) -> None:
    if value not in words:
        nearest = "" if faults.full else did_you_mean(value, words)
        faults.add("not_a_choice", at, f"must be one of {', '.join(map(str, words))}{nearest}")


def _check_range(shape: shapes.IntType | shapes.FloatType, value: float, at: str, faults: Faults) -> None:
    low, high = shape.ge, shape.le
    if (low is not None and value < low) or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"from {low} to {high}"
        faults.add("out_of_range", at, f"must be {span}")


def _check_length(shape: shapes.StrType | shapes.ListType, value: str | list[Any], at: str, faults: Faults) -> None:
    low, high = shape.min_length, shape.max_length
    unit = "characters" if isinstance(shape, shapes.StrType) else "items"
    if low is not None and len(value) < low:
        faults.add("too_short", at, "must not be empty" if low == 1 else f"must have at least {low} {unit}")
    if high is not None and len(value) > high:
        faults.add("too_long", at, f"must have at most {high} {unit}; it has {len(value)}")


def _check_time(value: str, at: str, faults: Faults) -> None:
    try:
        msgspec.convert(value, Time)
    except msgspec.ValidationError:
        example = "2026-11-22T18:30:00Z"
        faults.add("bad_time", at, f"must be a time of RFC 3339 with its offset from UTC, such as {example}")


def _unknown(name: str, known: Iterable[str], faults: Faults) -> str:
    return f"{name[:_ECHO]!r} is not a field here{'' if faults.full else did_you_mean(name, known)}"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


class _Kind(msgspec.Struct, frozen=True):
    """How a value of some shape looks in JSON: its Python types, and its name with the article."""

    types: tuple[type, ...]
    name: str


_STRING: Final = _Kind((str,), "a string")
_OBJECT: Final = _Kind((dict,), "an object")
_WHOLE: Final = _Kind((int,), "a whole number")
_NUMBER: Final = _Kind((int, float), "a number")
_BOOLEAN: Final = _Kind((bool,), "true or false")
_LIST: Final = _Kind((list,), "a list")
_ANY: Final = _Kind((object,), "anything")

_KINDS: Final[dict[type, _Kind]] = {
    shapes.StrType: _STRING,
    shapes.DateTimeType: _STRING,
    shapes.EnumType: _STRING,
    shapes.LiteralType: _STRING,
    shapes.StructType: _OBJECT,
    shapes.DictType: _OBJECT,
    shapes.IntType: _WHOLE,
    shapes.FloatType: _NUMBER,
    shapes.BoolType: _BOOLEAN,
    shapes.ListType: _LIST,
    shapes.AnyType: _ANY,
}


def _fits(shape: shapes.Type, value: object) -> bool:
    kind = _KINDS.get(type(shape))
    if kind is None:
        return False
    if isinstance(value, bool):
        return kind in (_BOOLEAN, _ANY)
    return isinstance(value, kind.types)


def _wanted(shape: shapes.Type) -> str:
    members = shape.types if isinstance(shape, shapes.UnionType) else (shape,)
    return " or ".join(_KINDS[type(one)].name for one in members if type(one) in _KINDS)


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with the article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = (_STRING, _WHOLE, _NUMBER, _LIST, _OBJECT)
    return next(kind.name for kind in kinds if isinstance(value, kind.types))
