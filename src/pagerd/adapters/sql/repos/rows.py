"""Between rows of the database and the structs of the ports."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Table, and_, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from pagerd.ports import keys, store

S = TypeVar("S", bound=msgspec.Struct)


def introduce(module: ModuleType) -> None:
    """Let msgspec meet every struct of a module.

    It learns a struct's fields when it first meets it, and must not be interrupted then: two threads that convert to
    the same struct for the first time at once crash the process (msgspec 0.22).
    """
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            msgspec.json.Decoder(kind)


introduce(store)
introduce(keys)


class Locking:
    """Reads rows in order to write them again, and writes them, so that of two changes the second sees the first.

    A row that is there is locked until the change ends (SQLite has one writer anyway, and nothing to lock with). One
    that is not there can't be locked: it is then inserted and never replaced, so that of two changes that both missed
    it one fails, and is run again.
    """

    def __init__(self, db: Connection, table: Table, *, changes: bool) -> None:
        """Without ``changes`` nothing is locked: a look must not."""
        self._db = db
        self._table = table
        self._changes = changes
        self._missed: set[tuple[Any, ...]] = set()

    def get(self, *key: Any) -> Row[Any] | None:
        """Return the row with a primary key, or ``None``."""
        query = select(self._table).where(_at(self._table, key))
        row = self._db.execute(query.with_for_update(key_share=True) if self._changes else query).first()
        if row is None:
            self._missed.add(key)
        return row

    def put(self, values: dict[str, Any]) -> None:
        """Replace the row with the same primary key, or insert it; it is never away in between."""
        key = tuple(values[column.name] for column in self._table.primary_key)
        if key in self._missed:
            self._missed.discard(key)
            self._db.execute(insert(self._table).values(values))
        else:
            put(self._db, self._table, values)


def put(db: Connection, table: Table, values: dict[str, Any]) -> None:
    """Replace the row with the same primary key, or insert it; it is never away in between."""
    key = tuple(values[column.name] for column in table.primary_key)
    if not db.execute(update(table).where(_at(table, key)).values(values)).rowcount:
        db.execute(insert(table).values(values))


def _at(table: Table, key: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(table.primary_key, key, strict=True)))


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
