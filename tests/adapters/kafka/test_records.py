"""A batch as a record, and everything that is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.kafka import records
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.ports.ledger import Arrival
from pagerd.ports.queue import Parcel

ARRIVAL = Arrival(
    key=BatchKey(7, 8),
    session_id=b"0123456789abcdef",
    n=5,
    payload=b"sealed",
    payload_at=b"\0\0\0\1\0\0\0\2",
    revision=3,
)
PARCEL = Parcel(arrival=ARRIVAL, priority=Priority.URGENT, trace="00-ab-cd-01")


def test_there_and_back() -> None:
    headers = records.headers(PARCEL, b"here")
    assert dict(headers)["priority"] == b"urgent"
    assert records.read(headers, b"sealed", b"here") == (ARRIVAL, "00-ab-cd-01")


def test_without_a_trace() -> None:
    headers = records.headers(msgspec.structs.replace(PARCEL, trace=""), b"here")
    assert "traceparent" not in dict(headers)
    assert records.read(headers, b"sealed", b"here") == (ARRIVAL, "")


def changed(**fields: Any) -> list[tuple[str, Any]]:
    headers = dict(records.headers(PARCEL, b"here")) | fields
    return [(name, value) for name, value in headers.items() if value is not ...]


@pytest.mark.parametrize(
    ("headers", "value", "words"),
    [
        (None, b"x", "no record of Pager's"),
        ([], b"x", "no record of Pager's"),
        (changed(pagerd=...), b"x", "no record of Pager's"),
        (changed(pagerd=b"2"), b"x", "unknown"),
        (changed(installation=b"elsewhere"), b"x", "another installation"),
        (changed(installation=None), b"x", "installation is missing"),
        (changed(session=...), b"x", "session is missing"),
        (changed(batch=b"eight"), b"x", "eight"),
        (changed(n=b""), b"x", "invalid"),
        (changed(session_id=b"short"), b"x", "wrong length"),
        (changed(at=b""), b"x", "wrong length"),
        (changed(), None, "no value"),
    ],
)
def test_what_can_t_be_read_says_why(headers: Any, value: bytes | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        records.read(headers, value, b"here")


def test_headers_are_kept_as_they_came() -> None:
    kept = records.written([("a", b"\xff"), ("b", None), ("a", b"")])
    assert msgspec.msgpack.decode(kept) == [["a", b"\xff"], ["b", None], ["a", b""]]
    assert msgspec.msgpack.decode(records.written(None)) == []
