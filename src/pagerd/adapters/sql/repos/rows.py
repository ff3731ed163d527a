"""Between rows of the database and the structs of the ports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row, Table

S = TypeVar("S", bound=msgspec.Struct)


def struct(kind: type[S], row: Row[Any]) -> S:
    """Return a row as a struct: columns and fields have the same names, and enumerations their values."""
    return msgspec.convert(row, kind, strict=False, from_attributes=True)


def structs(kind: type[S], rows: Iterable[Row[Any]]) -> list[S]:
    """Return rows as structs, in order."""
    return [struct(kind, row) for row in rows]


def columns(table: Table, value: msgspec.Struct, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """Return the fields of a struct that are columns of ``table``, as the database takes them."""
    left_out = set(but)
    found = msgspec.structs.asdict(value)
    return {
        name: _plain(found[name])
        for name in (column.name for column in table.columns)
        if name in found and name not in left_out
    }


def _plain(value: Any) -> Any:
    # Enumerations are stored as what they are made of: a word or a number.
    return value.value if hasattr(value, "value") else value
