"""A template's variables: what a recipient's data must hold, and of which type."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec


class VariableType(StrEnum):
    """What a variable holds; ``any`` is any JSON value. ``date`` is RFC 3339 full-date, ``datetime`` date-time."""

    ANY = "any"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    LIST = "list"
    OBJECT = "object"


class Variable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One variable: ``required``, or with a ``default``, or neither: then it is optional and absent means null."""

    name: str
    required: bool = False
    default: Any = msgspec.UNSET
    type: VariableType = VariableType.ANY
    example: Any = msgspec.UNSET
    description: str = ""


RESERVED: Final = frozenset({"to", "email", "phone", "id", "locale", "timezone"})
"""CSV columns that are not data (see :mod:`pagerd.audience`)."""
