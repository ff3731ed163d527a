"""Whom to tell: the recipients that a program hands over, and the parcels in which they travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

PART_ROWS: Final = 10_000
PART_BYTES: Final = 4 * 1024 * 1024
INLINE_ROWS: Final = 1_000
INLINE_BYTES: Final = 512 * 1024
"""An audience up to this size travels inside the request itself, whose body may have 1 MiB."""

_NEWLINE: Final = 0x0A


class Recipient(msgspec.Struct, omit_defaults=True):
    """One person to tell. ``to`` is an address, or one by kind: ``{"email": …, "phone": …}``.

    ``data`` are this person's variables, ``id`` is yours to find them by, ``locale`` and ``timezone`` are theirs.
    """

    to: str | dict[str, str]
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    id: str | None = None
    locale: str | None = None
    timezone: str | None = None


Person = Recipient | Mapping[str, Any] | str
"""What may stand for a recipient: one, a mapping with the same fields, or an address alone."""


class Part:
    """Rows of NDJSON, until there are ``rows`` of them or they take ``size`` bytes."""

    def __init__(self, rows: int = PART_ROWS, size: int = PART_BYTES) -> None:
        self.count = 0
        self.body = bytearray()
        self._rows = rows
        self._size = size
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def put(self, row: Person) -> bool:
        """Take one row; return whether there is room for another."""
        self._encoder.encode_into({"to": row} if isinstance(row, str) else row, self.body, -1)
        self.body.append(_NEWLINE)
        self.count += 1
        return self.count < self._rows and len(self.body) < self._size

    def array(self) -> msgspec.Raw:
        """Return the rows as a JSON array. A newline always ends a row: inside of strings JSON escapes it."""
        return msgspec.Raw(b"[" + bytes(self.body).rstrip(b"\n").replace(b"\n", b",") + b"]")

    def widen(self) -> None:
        """Go on as an uploaded part: the audience turned out too big to travel inline."""
        self._rows, self._size = PART_ROWS, PART_BYTES
