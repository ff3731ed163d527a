"""NDJSON: what is read, what is wrong and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pagerd.audience.limits import ROW_BYTES
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.recipients import Recipient

SKIP = OnInvalid.SKIP
Read = Callable[..., Any]


def test_a_line_becomes_a_recipient(read_ndjson: Read) -> None:
    found = read_ndjson(
        '{"to": "Ada@example.com", "id": "c-1", "locale": "de-at", "timezone": "Europe/Vienna",'
        ' "data": {"name": "Ada", "total": 12.5, "items": ["x"], "note": {"a": null}}}\n'
    )
    data = {"name": "Ada", "total": 12.5, "items": ["x"], "note": {"a": None}}
    [checked] = found.people
    assert checked.recipient == Recipient(
        "Ada@example.com", "Ada@example.com", 1, data, "c-1", "de-AT", "Europe/Vienna", None
    )
    assert checked.normalised == "ada@example.com"
    assert (found.count, found.rows, found.fatal) == (0, 1, None)


def test_blank_lines_are_skipped_but_counted(read_ndjson: Read) -> None:
    line = '{"to": "a@x.org", "data": {"name": "A"}}'
    found = read_ndjson(f"\ufeff\n{line}\r\n \t\r\n\n{line}")
    assert [r.line for r in found.recipients] == [2, 5]
    assert found.count == 0


def test_an_object_of_addresses(read_ndjson: Read) -> None:
    lines = [
        {"to": {"email": "a@x.org"}, "data": {"name": "A"}},
        {"to": {"phone": "+44", "email": "b@x.org"}, "data": {"name": "B"}},
        {"to": {"phone": "+44"}, "data": {"name": "C"}},
        {"to": {"e-mail": "d@x.org"}, "data": {"name": "D"}},
        {"to": {"email": 5}, "data": {"name": "E"}},
    ]
    found = read_ndjson("\n".join(map(json.dumps, lines)))
    assert [r.to for r in found.recipients] == ["a@x.org", "b@x.org"]
    assert [(f.code, f.line) for f in found.faults] == [
        ("address_missing", 3),
        ("field_unknown", 4),
        ("address_missing", 4),
        ("field_type", 5),
    ]
    assert "did you mean 'email'?" in found.faults[1].detail


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ('{"data": {"name": "A"}}', ["address_missing"]),
        ('{"to": null, "data": {"name": "A"}}', ["address_missing"]),
        ('{"to": 5, "data": {"name": "A"}}', ["field_type"]),
        ('{"to": "a@x.org", "data": []}', ["field_type"]),
        ('{"to": "a@x.org"}', ["variable_missing"]),
        ('{"to": "a@x.org", "data": null}', ["variable_missing"]),
        ('{"to": "a@x.org", "id": 17, "data": {"name": "A"}}', ["field_type"]),
        ('{"to": "a@x.org", "id": "", "data": {"name": "A"}}', ["id_invalid"]),
        ('{"to": "a@x.org", "locale": "english", "data": {"name": "A"}}', ["locale_invalid"]),
        ('{"to": "a@x.org", "timezone": "Mars", "data": {"name": "A"}}', ["timezone_unknown"]),
        ('{"to": "a@x.org", "date": {}, "data": {"name": "A"}}', ["field_unknown"]),
        ('{"to": "a@x.org", "data": {"name": "A", "totl": 1}}', ["variable_unknown"]),
        ('{"to": "a@x.org", "data": {"name": "A\\u0000"}}', ["variable_type"]),
        ('{"to": "a\\u0000@x.org", "data": {"name": "A"}}', ["address_invalid"]),
        ('{"to": "a@x.org\\r\\nBcc: b@x.org", "data": {"name": "A"}}', ["address_invalid"]),
        ('{"to": "nobody", "data": {"total": "x", "zzz": 1}, "locale": "?"}',
         ["address_invalid", "variable_type", "variable_unknown", "variable_missing", "locale_invalid"]),
        ('["a@x.org"]', ["recipient_malformed"]),
        ('"a@x.org"', ["recipient_malformed"]),
        ("null", ["recipient_malformed"]),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_with_a_line_is_told(read_ndjson: Read, line: str, codes: list[str]) -> None:
    found = read_ndjson(f"\n{line}\n")
    assert found.codes == codes
    assert {f.line for f in found.faults} == {2}
    assert found.people == []
    skipped = read_ndjson(f"\n{line}\n", SKIP)
    assert [(r.line, r.flaw.code) for r in skipped.recipients] == [(2, codes[0])]


def test_unknown_fields_name_the_nearest(read_ndjson: Read) -> None:
    line = '{"to": "a@x.org", "%s": {}, "data": {"name": "A"}}'
    assert "did you mean 'timezone'?" in read_ndjson(line % "time_zone").faults[0].detail
    assert 'write "to"' in read_ndjson(line % "email").faults[0].detail
    assert 'belong into "data"' in read_ndjson(line % "total").faults[0].detail


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("{", 2),
        ('{"to": "a@x.org",}', 18),
        ('{"to": "ä@x.org"} x', 19),
        ("to: a@x.org", 1),
        ('{"to": "a', 8),
        ('{"to": NaN}', None),
        ('{"to": "\\ud800"}', None),
        ('{"data": {"name": 1e999}}', None),
        ('{"data": {"name": ' + "9" * 5000 + "}}", None),
        ("[" * 100_000, None),
    ],
)
def test_what_is_no_json_says_where(read_ndjson: Read, line: str, column: int | None) -> None:
    found = read_ndjson(f'{{"to": "a@x.org", "data": {{"name": "A"}}}}\n{line}\n', SKIP)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("json_malformed", 2, column)]
    assert found.recipients[1].to == line[:500]
    assert found.recipients[1].flaw.code == "json_malformed"


def test_pretty_printed_json_is_told_line_by_line(read_ndjson: Read) -> None:
    found = read_ndjson('{\n  "to": "a@x.org"\n}\n')
    assert [(f.code, f.line) for f in found.faults] == [("json_malformed", n) for n in (1, 2, 3)]


def test_an_escaped_backslash_before_u0000_is_text(read_ndjson: Read) -> None:
    found = read_ndjson('{"to": "a@x.org", "data": {"name": "\\\\u0000"}}\n')
    assert [r.data for r in found.recipients] == [{"name": "\\u0000"}]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 30])
@pytest.mark.parametrize("slab", [1, 65_536])
def test_wrong_encodings_end_the_reading(read_ndjson: Read, chunk: int, slab: int) -> None:
    body = '\ufeff{"to": "ä@x.org", "data": {"name": "A"}}\n\n{"to": "ö'.encode() + b'\xf6"}\n{"to": 1}\n'
    found = read_ndjson(body, SKIP, chunk=chunk, slab=slab)
    assert found.fatal.code == "encoding"
    offset = body.index(b'\xf6"}')
    assert f"byte {offset} (from 0) is 0xf6" in found.fatal.detail
    assert (found.fatal.faults[0].line, found.fatal.faults[0].column) == (3, 10)


@pytest.mark.parametrize("chunk", [1 << 30, 65_536])
def test_a_line_beyond_the_limit_is_a_problem_of_its_own(read_ndjson: Read, chunk: int) -> None:
    good = '{"to": "a@x.org", "data": {"name": "A"}}\n'
    long = '{"to": "a@x.org", "data": {"name": "%s"}}\n' % ("ä" * ROW_BYTES)
    found = read_ndjson(good + long + good, SKIP, chunk=chunk)
    assert [(f.code, f.line) for f in found.faults] == [("row_too_long", 2)]
    assert [(r.line, bool(r.flaw)) for r in found.recipients] == [(1, False), (2, True), (3, False)]
    assert len(found.recipients[1].to) <= 500


def test_a_line_of_the_limit_is_read(read_ndjson: Read) -> None:
    line = '{"to": "a@x.org", "data": {"name": ""}}'
    found = read_ndjson(line.replace('""', '"' + "x" * (ROW_BYTES - len(line)) + '"') + "\n")
    assert found.count == 0
    assert len(found.recipients[0].data["name"]) == ROW_BYTES - len(line)


def test_other_channels_are_not_supported_yet(read_ndjson: Read) -> None:
    for channel in set(Channel) - {Channel.EMAIL, Channel.SMS, Channel.KAFKA}:
        found = read_ndjson('{"to": "x", "data": {"name": "A"}}\n', SKIP, channel=channel)
        assert found.codes == ["channel_not_supported_yet"]
        assert found.recipients[0].flaw.code == "channel_not_supported_yet"
