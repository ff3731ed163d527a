"""A record's words: a JSON value, the key that it is partitioned by, and headers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from pagerd.core.policy import Channel
from pagerd.core.templates import Record
from pagerd.render.engines import Engines
from pagerd.render.errors import RenderFailed
from pagerd.render.limits import HEADER_CHARS
from pagerd.render.values import Facts
from pagerd.render.variant import CompiledVariant

VALUE = "json"
"""The part that holds the value; as the ending of a name it tells the engine to print values as JSON."""


class RecordVariant(CompiledVariant):
    """A record's words in one locale."""

    __slots__ = ("_headers", "_key", "_value")

    def __init__(self, name: str, locale: str, engines: Engines, *, keyed: bool, headers: Sequence[str]) -> None:
        """``keyed``: the engines hold a ``key``; ``headers`` are the names of those that they hold."""
        super().__init__(name, Channel.KAFKA, locale, engines)
        self._value = f"{name}.{VALUE}"
        self._key = f"{name}.key" if keyed else None
        self._headers = tuple((header, f"{name}.headers/{header}") for header in headers)

    def render(self, data: Facts) -> Record:
        """Return the record for one person.

        Raise :class:`RenderFailed` as a mail does, and where the value came out as no JSON (``json_malformed``).
        """
        self._begin()
        value = self._printed(self._value, data, nulls=True).strip()
        try:
            msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise self._malformed(value) from None
        return Record(
            value=value,
            key=None if self._key is None else self._short("key", self._key, data),
            headers=tuple((header, self._short(header, name, data)) for header, name in self._headers),
        )

    def words(self, data: Facts) -> dict[str, Any]:
        """Return value, key and headers; raise :class:`RenderFailed`."""
        record = self.render(data)
        return {"json": record.value, "key": record.key, "headers": dict(record.headers)}

    def _short(self, what: str, name: str, data: Facts) -> str:
        text = self._printed(name, data).strip()
        if len(text) > HEADER_CHARS:
            detail = f"{self.name}: the {what} has more than {HEADER_CHARS} characters"
            raise RenderFailed("header_too_long", detail, variant=self.name, part=what)
        return text

    def _malformed(self, value: str) -> RenderFailed:
        """Return the error of a value that is no JSON, with the place; the standard library knows where."""
        try:
            json.loads(value)
            words, line, column = "a number is too large, or half a surrogate stands in it", None, None
        except json.JSONDecodeError as wrong:
            words, line, column = f"{wrong.msg} in line {wrong.lineno}, column {wrong.colno}", wrong.lineno, wrong.colno
        except (RecursionError, ValueError):
            words, line, column = "it is nested too deep, or a number is too long", None, None
        detail = f"{self.name}: what came out is not JSON: {words} (a printed value brings its own quotes)"
        return RenderFailed("json_malformed", detail, variant=self.name, part=VALUE, line=line, column=column)
