"""An order's variables, and readers run over bytes cut anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pagerd.audience.csvfile import CsvReader
from pagerd.audience.ndjson import NdjsonReader
from pagerd.audience.reader import Reader
from pagerd.audience.rows import Checked
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.recipients import Recipient
from pagerd.core.variables import Variable, VariableType

ORDER = (
    Variable(name="name", required=True, type=VariableType.STRING),
    Variable(name="total", type=VariableType.NUMBER),
    Variable(name="count", type=VariableType.INTEGER),
    Variable(name="vip", type=VariableType.BOOLEAN),
    Variable(name="day", type=VariableType.DATE),
    Variable(name="at", type=VariableType.DATETIME),
    Variable(name="items", type=VariableType.LIST),
    Variable(name="extra", type=VariableType.OBJECT),
    Variable(name="note"),
)


class Reading(NamedTuple):
    """All that came out of a reader; ``fatal`` is the error that ended it."""

    people: list[Checked]
    faults: list[Fault]
    count: int
    rows: int
    ignored: tuple[str, ...]
    fatal: Invalid | None

    @property
    def recipients(self) -> list[Recipient]:
        return [checked.recipient for checked in self.people]

    @property
    def codes(self) -> list[str]:
        return [fault.code for fault in self.faults]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self._told() == other._told()

    __hash__ = None  # type: ignore[assignment]

    def _told(self) -> tuple[Any, ...]:
        fatal = self.fatal and (self.fatal.code, self.fatal.faults, self.fatal.count)
        return (self.people if not fatal else None, self.faults, self.count, self.ignored, fatal)


def run(reader: Reader, body: bytes, chunk: int = 1 << 30) -> Reading:
    people: list[Checked] = []
    fatal = None
    try:
        for start in range(0, len(body), chunk):
            for some in reader.feed(body[start : start + chunk]):
                people += some
        for some in reader.end():
            people += some
    except Invalid as wrong:
        fatal = wrong
    faults = reader.faults
    return Reading(people, faults.kept, faults.count, reader.rows, tuple(reader.ignored_columns), fatal)


@pytest.fixture
def order() -> Coercer:
    return Coercer(ORDER)


@pytest.fixture
def read_csv(order: Coercer) -> Callable[..., Reading]:
    def read(
        body: str | bytes,
        on_invalid: OnInvalid = OnInvalid.FAIL,
        *,
        coercer: Coercer = order,
        channel: Channel = Channel.EMAIL,
        chunk: int = 1 << 30,
        **options: Any,
    ) -> Reading:
        raw = body.encode() if isinstance(body, str) else body
        return run(CsvReader(coercer, channel, on_invalid, **options), raw, chunk)

    return read


@pytest.fixture
def read_ndjson(order: Coercer) -> Callable[..., Reading]:
    def read(
        body: str | bytes,
        on_invalid: OnInvalid = OnInvalid.FAIL,
        *,
        coercer: Coercer = order,
        channel: Channel = Channel.EMAIL,
        chunk: int = 1 << 30,
        **options: Any,
    ) -> Reading:
        raw = body.encode() if isinstance(body, str) else body
        return run(NdjsonReader(coercer, channel, on_invalid, **options), raw, chunk)

    return read
