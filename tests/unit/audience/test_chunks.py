"""Wherever a network cuts a file, and whatever is in it: the same people, the same faults, no other error."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagerd.audience.csvfile import CsvReader
from pagerd.audience.ndjson import NdjsonReader
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.variables import Variable, VariableType

Read = Callable[..., Any]

CSV = """\
\ufeffto,"na""me",name,total\r
a@x.org,,"A, ""B""\r
C",1\r
\r
b@x.org,x,"é用",2\rc@x.org,y,C,x
bad,"z"z,D,4
"""
OPEN = 'd@x.org,"'
MORE = "e@x.org,1\n,,,\nf@x.org,f,F,6"
NDJSON = """\
\ufeff{"to": "a@x.org", "data": {"name": "é用"}}\r

{"to": "b@x.org"}
{"to":
  {"to": {"email": "c@x.org"}, "data": {"name": "C", "total": 2}} \t
{"to": "d@x.org", "data": {"name": "D"}}"""


@pytest.mark.parametrize("on_invalid", list(OnInvalid))
@pytest.mark.parametrize("body", [CSV, CSV + MORE, CSV + OPEN, CSV + OPEN + MORE])
def test_csv_cut_anywhere(read_csv: Read, body: str, on_invalid: OnInvalid) -> None:
    whole = read_csv(body, on_invalid, slab=1)
    assert read_csv(body, on_invalid) == whole
    for chunk in range(1, len(body.encode())):
        assert read_csv(body, on_invalid, chunk=chunk, slab=1) == whole


@pytest.mark.parametrize("on_invalid", list(OnInvalid))
def test_ndjson_cut_anywhere(read_ndjson: Read, on_invalid: OnInvalid) -> None:
    whole = read_ndjson(NDJSON, on_invalid)
    assert whole.codes == ["variable_missing", "json_malformed"]
    for chunk in range(1, len(NDJSON.encode())):
        assert read_ndjson(NDJSON, on_invalid, chunk=chunk, slab=1) == whole


COERCER = Coercer(
    [
        Variable(name="a", required=True, type=VariableType.STRING),
        Variable(name="b", type=VariableType.LIST),
    ]
)
CSV_PIECES = ["to", "a", "b", ",", ";", "\t", '"', '""', "\n", "\r\n", "\r", "x@y.org", "1", "[1]", "é", "\0", " "]
JSON_PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"to"',
    '"data"',
    '"a"',
    '"b"',
    '"x@y.org"',
    '"\\u0000"',
    "1",
    "\n",
    "\r",
    "é",
]


def bodies(pieces: list[str]) -> st.SearchStrategy[bytes]:
    made = st.lists(st.sampled_from(pieces), max_size=40).map(lambda chosen: "".join(chosen).encode())
    return made | st.binary(max_size=60)


GOOD_CSV = b"to,a,b\n"
GOOD_JSON = b'{"to": "x@y.org", "data": {"a": "1"}}\n'


@pytest.mark.parametrize("reader", [CsvReader, NdjsonReader])
def test_what_a_reader_holds_does_not_grow_with_the_file(reader: type[CsvReader | NdjsonReader]) -> None:
    header, line = (GOOD_CSV, b"x@y.org,1,\n") if reader is CsvReader else (b"", GOOD_JSON)
    peaks = []
    for lines in (20_000, 60_000):
        body = header + line * lines
        chunks = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
        tracemalloc.start()
        reading = reader(COERCER, Channel.EMAIL, OnInvalid.FAIL)
        count = sum(len(some) for chunk in chunks for some in reading.feed(chunk))
        count += sum(map(len, reading.end()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == lines
    assert peaks[1] < 1.2 * peaks[0]


def outcome(reader: CsvReader | NdjsonReader, body: bytes, chunk: int) -> tuple[list[Fault], int, str, list[Any]]:
    people: list[Any] = []
    try:
        for start in range(0, len(body), chunk):
            for some in reader.feed(body[start : start + chunk]):
                people += some
        for some in reader.end():
            people += some
    except Invalid as wrong:
        return list(wrong.faults), wrong.count, wrong.code, []
    return reader.faults.kept, reader.faults.count, "", people


@settings(max_examples=300)
@given(bodies(CSV_PIECES), st.booleans(), st.sampled_from(OnInvalid), st.integers(1, 60))
def test_hostile_csv(body: bytes, headed: bool, on_invalid: OnInvalid, chunk: int) -> None:
    body = GOOD_CSV + body if headed else body
    found = outcome(CsvReader(COERCER, Channel.EMAIL, on_invalid, slab=1), body, chunk)
    faults, count, fatal, people = found
    assert outcome(CsvReader(COERCER, Channel.EMAIL, on_invalid, slab=1), body, len(body) + 1) == found
    if body.decode(errors="ignore").encode() == body:  # of a slab that can't be decoded nothing is looked at
        assert outcome(CsvReader(COERCER, Channel.EMAIL, on_invalid), body, len(body) + 1) == found
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    assert all(fault.line is not None and 1 <= fault.line <= lines for fault in faults)
    assert all(1 <= checked.recipient.line <= lines for checked in people)
    flawed = sum(checked.recipient.flaw is not None for checked in people)
    assert bool(count) == bool(fatal or flawed or (on_invalid is OnInvalid.FAIL and count))


@settings(max_examples=300)
@given(bodies(JSON_PIECES), st.booleans(), st.sampled_from(OnInvalid), st.integers(1, 60))
def test_hostile_ndjson(body: bytes, headed: bool, on_invalid: OnInvalid, chunk: int) -> None:
    body = GOOD_JSON + body if headed else body
    found = outcome(NdjsonReader(COERCER, Channel.EMAIL, on_invalid, slab=1), body, chunk)
    faults, _, fatal, people = found
    assert outcome(NdjsonReader(COERCER, Channel.EMAIL, on_invalid), body, len(body) + 1) == found
    filled = [number for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    assert {fault.line for fault in faults} <= set(filled)
    if on_invalid is OnInvalid.SKIP and not fatal:
        assert len(people) == len(filled) or body.startswith(b"\xef\xbb\xbf")
