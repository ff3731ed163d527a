"""An audience's file, cut into parts: nobody is lost, no record is torn, and every line keeps its number."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pagerd.cli.ctl import audience
from pagerd.cli.ctl.audience import CsvAudience, NdjsonAudience, Portion
from pagerd.cli.ctl.cells import from_text
from pagerd.cli.ctl.files import Source
from pagerd.cli.ctl.records import CsvRecords, NdjsonRecords
from pagerd.core.variables import Variable, VariableType

CELL = st.text(st.sampled_from('ab",;\n\r\t é€'), max_size=6)


def source(raw: bytes, name: str = "people.csv") -> Source:
    return Source(io.BytesIO(raw), name)


def parts(raw: bytes, monkeypatch: pytest.MonkeyPatch, rows: int, delimiter: str | None = ",") -> list[Portion]:
    monkeypatch.setattr(audience, "ROWS", rows)
    return list(CsvAudience(source(raw), [], {}, delimiter).portions())


def people(raw: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(raw.decode(), newline="")) if any(cell.strip() for cell in row)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12),
    size=st.integers(1, 4),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_parts_hold_the_same_people_as_the_file(
    monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, str]], size: int, end: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows([("to", "name"), *rows])
    raw = text.getvalue().encode()
    cut = parts(raw, monkeypatch, size)
    assert [row for part in cut for row in people(part.body)[1:]] == people(raw)[1:]
    assert all(part.people <= size for part in cut)
    assert all(part.body.startswith(f"to,name{end}".encode()) for part in cut)
    whole = raw.decode().splitlines(keepends=True)
    for part in cut:
        for number, line in enumerate(part.body.decode().splitlines(keepends=True), 1):
            assert whole[part.line_in_file(number) - 1] == line


def test_records_may_be_longer_than_a_line() -> None:
    records = list(CsvRecords(source(b'to,name\n"a\nb",c\nd,"e\r\nf"\ng,h'), ","))
    assert [(one.line, one.text, one.cells) for one in records] == [
        (1, "to,name\n", ["to", "name"]),
        (2, '"a\nb",c\n', ["a\nb", "c"]),
        (4, 'd,"e\r\nf"\n', ["d", "e\r\nf"]),
        (6, "g,h", ["g", "h"]),
    ]


def test_a_wrong_quote_spoils_its_own_line_only() -> None:
    records = list(CsvRecords(source(b'to\n"a"b\nc\n"d\ne"x\n"f\ng"\nh\n'), ","))
    assert [(one.line, one.text) for one in records] == [
        (1, "to\n"),
        (2, '"a"b\n'),
        (3, "c\n"),
        (4, '"d\n'),
        (5, 'e"x\n'),
        (6, '"f\ng"\n'),
        (8, "h\n"),
    ]


def test_blank_lines_are_nobody_and_keep_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    (part,) = parts(b"\n\nto,name\n\na@b.eu,A\n,\nc@d.eu,C\n", monkeypatch, 10)
    assert part.people == 2
    assert part.body == b"\n\nto,name\n\na@b.eu,A\n,\nc@d.eu,C\n"
    assert [part.line_in_file(line) for line in (3, 5, 7)] == [3, 5, 7]


def test_a_byte_order_mark_is_no_part_of_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    (part,) = parts(b"\xef\xbb\xbfto\na@b.eu\n", monkeypatch, 10)
    assert part.body == b"to\na@b.eu\n"


def test_old_line_ends_are_line_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    (part,) = parts(b"to,name\ra@b.eu,A\rc@d.eu,C\r", monkeypatch, 10)
    assert part.people == 2
    assert part.line_in_file(3) == 3


@pytest.mark.parametrize(
    ("raw", "delimiter"),
    [
        (b"to,name\n", ","),
        (b"to;name\n", ";"),
        (b"to\tname\n", "\t"),
        (b"first, last;email;x\n", ";"),
        (b"just one\n", ","),
        (b'"a;b;c;d",to\n', ","),
    ],
)
def test_the_delimiter_is_told_by_the_header(raw: bytes, delimiter: str) -> None:
    assert CsvAudience(source(raw + b"x\n"), [], {}, None).delimiter == delimiter


def test_cells_become_what_their_variables_are() -> None:
    kinds = {"n": "number", "i": "integer", "b": "boolean", "l": "list", "o": "object", "s": "string"}
    variables = [Variable(name=name, type=VariableType(kind)) for name, kind in kinds.items()]
    raw = b'TO,N,i,b,l,l,o,s,id,empty\na@b.eu,1.5, 7 ,Yes,x,"[""y""]","{""a"": 1}",5,c-1,\n'
    (person,) = CsvAudience(source(raw), variables, {}, None).people()
    assert person.line == 2
    assert person.recipient == {
        "to": "a@b.eu",
        "id": "c-1",
        "data": {"n": 1.5, "i": 7, "b": True, "l": ["y"], "o": {"a": 1}, "s": "5"},
    }


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "nan", "nan"),
        ("number", "1e400", "1e400"),
        ("integer", "x", "x"),
        ("boolean", "maybe", "maybe"),
        ("boolean", "NO", False),
        ("list", "[1", "[1"),
        ("any", "5", "5"),
        ("number", "-3", -3),
    ],
)
def test_what_does_not_fit_stays_text(kind: str, text: str, value: object) -> None:
    assert from_text(kind, text) == value


def test_ndjson_is_cut_between_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "ROWS", 2)
    raw = b'\xef\xbb\xbf{"to":"a@b.eu"}\n\n{"to":"c@d.eu"}\n{"to":"e@f.eu"}'
    cut = list(NdjsonAudience(source(raw, "people.ndjson"), {}).portions())
    assert [part.body for part in cut] == [b'{"to":"a@b.eu"}\n\n{"to":"c@d.eu"}\n', b'{"to":"e@f.eu"}']
    assert [part.people for part in cut] == [2, 1]
    assert cut[1].line_in_file(1) == 4


def test_lines_that_are_no_json_are_left_to_the_server() -> None:
    raw = b'{"to":"a@b.eu","first":"A"}\nnonsense\n[1]\n'
    crowd = NdjsonAudience(source(raw, "people.ndjson"), {"name": "first"})
    (part,) = crowd.portions()
    lines = part.body.decode().splitlines()
    assert json.loads(lines[0]) == {"to": "a@b.eu", "data": {"name": "A"}}
    assert lines[1:] == ["nonsense", "[1]"]
    assert [person.recipient for person in crowd.people()][1:] == ["nonsense", [1]]


@pytest.mark.parametrize(
    ("name", "raw", "kind"),
    [
        ("a.csv", b"to\n", "csv"),
        ("a.tsv", b"to\n", "csv"),
        ("a.jsonl", b"x\n", "ndjson"),
        ("a.ndjson", b"x\n", "ndjson"),
        ("a.txt", b' {"to":1}', "ndjson"),
        ("-", b"to\n", "csv"),
    ],
)
def test_the_kind_is_told_by_name_or_content(name: str, raw: bytes, kind: str) -> None:
    assert source(raw, name).kind == kind


def test_a_file_is_never_held_whole(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "people.csv"
    with path.open("w") as file:
        file.write("to,name\n")
        for n in range(200_000):
            file.write(f"person-{n}@example.com,Somebody with a name {n}\n")
    with path.open("rb") as handle:
        crowd = CsvAudience(Source(handle, str(path)), [], {}, None)
        tracemalloc.start()
        counted = sum(part.people for part in crowd.portions())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert counted == 200_000
    assert path.stat().st_size > 9_000_000
    assert peak < 6_000_000


def test_a_line_without_end_is_refused() -> None:
    from pagerd.cli.ctl.shell import Refusal

    with pytest.raises(Refusal, match=r"people.ndjson:1: the line is longer than 1 MiB"):
        list(NdjsonRecords(source(b"{" + b" " * 3_000_000, "people.ndjson")))
