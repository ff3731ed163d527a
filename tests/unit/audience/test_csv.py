"""CSV rows: what is read, what is wrong and where."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagerd.audience.csvfile import CsvReader
from pagerd.audience.limits import CELL_CHARS, ROW_BYTES
from pagerd.audience.variables import Coercer
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.recipients import Flaw, Recipient
from pagerd.core.variables import Variable, VariableType

SKIP = OnInvalid.SKIP
Read = Callable[..., Any]


def test_a_row_becomes_a_recipient(read_csv: Read) -> None:
    found = read_csv(
        "to,id,locale,timezone,name,total,count,vip,day,at,extra,note\n"
        'Ada@Example.com,c-1,de-at,Europe/Vienna,Ada,12.5,3,yes,2026-11-30,2026-11-30T09:00:00Z,"{""a"": [1]}",007\n'
    )
    data = {
        "name": "Ada",
        "total": 12.5,
        "count": 3,
        "vip": True,
        "day": "2026-11-30",
        "at": "2026-11-30T09:00:00Z",
        "extra": {"a": [1]},
        "note": "007",
    }
    [checked] = found.people
    assert checked.recipient == Recipient(
        "Ada@Example.com", "Ada@Example.com", 2, data, "c-1", "de-AT", "Europe/Vienna", None
    )
    assert checked.normalised == "ada@example.com"
    assert (found.count, found.rows, found.fatal) == (0, 1, None)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_delimiters_and_marks(read_csv: Read, end: str, delimiter: str, bom: str) -> None:
    rows = [["to", "name", "city, or so"], ["a@x.org", "A", "1"], ["b@x.org", "B;\t,", ""]]
    body = bom + end.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows) + end
    found = read_csv(body)
    assert [(r.to, r.line, r.data) for r in found.recipients] == [
        ("a@x.org", 2, {"name": "A"}),
        ("b@x.org", 3, {"name": "B;\t,"}),
    ]
    assert found.ignored == ("city, or so",)


def test_lines_are_those_of_the_file(read_csv: Read) -> None:
    found = read_csv('\r\nto,"na\nme",name\r\na@x.org,,"A\r\n\r\nA"\r\n\r\n\r\nb@x.org,,B')
    assert [(r.to, r.line, r.data["name"]) for r in found.recipients] == [
        ("a@x.org", 4, "A\r\n\r\nA"),
        ("b@x.org", 9, "B"),
    ]


def test_only_real_line_ends_end_lines(read_csv: Read) -> None:
    found = read_csv("to,name\na@x.org,A\u2028\x0b\x0c\x85\x1cA\nb@x.org,B\n")
    assert [(r.line, r.data["name"]) for r in found.recipients] == [(2, "A\u2028\x0b\x0c\x85\x1cA"), (3, "B")]


def test_an_empty_cell_is_absent_and_an_empty_row_nobody(read_csv: Read) -> None:
    found = read_csv("to,name,total,locale\na@x.org,A,,\n,,,\n , ,,\n\nb@x.org,B,1,en\n")
    assert [(r.line, r.data, r.locale) for r in found.recipients] == [
        (2, {"name": "A"}, None),
        (6, {"name": "B", "total": 1}, "en"),
    ]
    assert found.count == 0


def test_a_repeated_column_is_a_list(read_csv: Read) -> None:
    found = read_csv("to,items,name,Items,ITEMS\na@x.org,x,A,,z\nb@x.org,,B,,\n")
    assert [r.data for r in found.recipients] == [{"name": "A", "items": ["x", "z"]}, {"name": "B"}]


def test_a_single_list_column_is_json(read_csv: Read) -> None:
    found = read_csv('to,name,items\na@x.org,A,"[""x"", 2]"\nb@x.org,B,x\n')
    assert found.recipients[0].data["items"] == ["x", 2]
    assert (found.codes, found.faults[0].line, found.faults[0].column) == (["variable_type"], 3, 11)


def test_any_stays_text(read_csv: Read) -> None:
    assert read_csv("to,name,note\na@x.org,A,12\n").recipients[0].data["note"] == "12"


def test_an_audience_without_variables(read_csv: Read) -> None:
    found = read_csv("email\na@x.org\nb@x.org\n", coercer=Coercer([]))
    assert [r.data for r in found.recipients] == [{}, {}]


def test_every_fault_of_a_row_is_told_with_its_place(read_csv: Read) -> None:
    row = '"bad, address","A\r\nB","12,50",xx_YY,Mars/Base,"a\tb"'
    found = read_csv(f"to,name,total,locale,timezone,id\r\n{row}\r\nb@x.org,,x,,,\r\n")
    assert found.people == []
    assert [(f.code, f.line, f.column) for f in found.faults] == [
        ("address_invalid", 2, 1),
        ("variable_type", 3, 4),
        ("locale_invalid", 3, 12),
        ("timezone_unknown", 3, 18),
        ("id_invalid", 3, 28),
        ("variable_missing", 4, 9),
        ("variable_type", 4, 10),
    ]
    assert "with a point" in found.faults[1].detail
    assert 'write "xx-YY"' in found.faults[2].detail
    assert (found.count, found.rows) == (7, 2)


def test_a_row_without_address(read_csv: Read) -> None:
    found = read_csv("name,to\nA, \n", SKIP)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("address_missing", 2, 3)]
    assert found.recipients == [
        Recipient("A, ", "", 2, {"name": "A"}, flaw=Flaw("address_missing", found.faults[0].detail))
    ]


def test_ragged_rows(read_csv: Read) -> None:
    found = read_csv('to,name\na@x.org\nb@x.org,B,"more\nand more",x\nc@x.org,C\n')
    assert [(f.code, f.line, f.column) for f in found.faults] == [("row_ragged", 2, 1), ("row_ragged", 3, 11)]
    assert "1 cells, the header 2" in found.faults[0].detail
    assert [r.line for r in found.recipients] == [5]


def test_under_skip_nobody_is_lost(read_csv: Read) -> None:
    body = 'to,name,total\nnobody,A,1\nb@x.org\nc@x.org,C,x\nd@x.org,D,4\n"e@x.org"x,E,5\nf@x.org,F,6\n'
    found = read_csv(body, SKIP)
    assert [(r.line, r.to, r.address, r.flaw and r.flaw.code) for r in found.recipients] == [
        (2, "nobody", "", "address_invalid"),
        (3, "b@x.org", "", "row_ragged"),
        (4, "c@x.org", "c@x.org", "variable_type"),
        (5, "d@x.org", "d@x.org", None),
        (6, '"e@x.org"x,E,5', "", "quote_misplaced"),
        (7, "f@x.org", "f@x.org", None),
    ]
    assert [p.normalised for p in found.people] == ["", "", "c@x.org", "d@x.org", "", "f@x.org"]
    assert found.recipients[2].data == {"name": "C", "total": "x"}
    assert (found.rows, found.count) == (6, 4)


def test_a_stray_quote_swallows_no_neighbours(read_csv: Read) -> None:
    rows = "".join(f"p{n}@x.org,P\n" for n in range(50))
    found = read_csv(f'to,name\na@x.org,"A\n{rows}b@x.org,"B"\n', SKIP)
    assert [r.line for r in found.recipients if r.flaw] == [2]
    assert [r.line for r in found.recipients if not r.flaw] == list(range(3, 54))
    assert [(f.code, f.line, f.column) for f in found.faults] == [("quote_misplaced", 2, 9)]


def test_a_quote_in_the_middle_of_a_bare_cell_is_a_quote(read_csv: Read) -> None:
    assert read_csv('to,name\na@x.org,6" pipe\n').recipients[0].data == {"name": '6" pipe'}


@pytest.mark.parametrize("last", ["", "\n", "x\nb@x.org,B\n"])
def test_a_quote_that_is_never_closed(read_csv: Read, last: str) -> None:
    for on_invalid in OnInvalid:
        found = read_csv(f'to,name\na@x.org,A\nb@x.org,"B{last}', on_invalid)
        assert found.fatal is not None
        assert found.fatal.code == "quote_unclosed"
        assert [(f.line, f.column) for f in found.fatal.faults] == [(3, 9)]


def test_the_fatal_fault_comes_first_and_the_others_with_it(read_csv: Read) -> None:
    found = read_csv('to,name\nnobody,A\nb@x.org,"B')
    assert [f.code for f in found.fatal.faults] == ["quote_unclosed", "address_invalid"]
    assert found.fatal.count == 2


def test_wrong_encodings(read_csv: Read) -> None:
    found = read_csv("to,name\r\na@x.org,A\r\nb@x.org,Björn\r\n".encode("latin-1"), SKIP)
    assert found.fatal.code == "encoding"
    assert "byte 30 (from 0) is 0xf6" in found.fatal.detail
    assert (found.fatal.faults[0].line, found.fatal.faults[0].column) == (3, 11)
    found = read_csv("to,name\na@x.org,A\n".encode("utf-16"))
    assert found.fatal.code == "encoding"
    assert "UTF-16" in found.fatal.detail


def test_a_nul_is_a_problem_of_its_row(read_csv: Read) -> None:
    found = read_csv("to,name\na@x.org,A\0\nb@x.org,B\n", SKIP)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("control_character", 2, 9)]
    assert [r.line for r in found.recipients if not r.flaw] == [3]


def test_cells_and_records_have_limits(read_csv: Read) -> None:
    body = f"to,name\na@x.org,{'A' * CELL_CHARS}\nb@x.org,{'B' * (CELL_CHARS + 1)}\nc@x.org,C\n"
    found = read_csv(body, SKIP)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("cell_too_long", 3, 9)]
    assert [r.line for r in found.recipients if not r.flaw] == [2, 4]
    assert max(len(r.to) for r in found.recipients) == 500


@pytest.mark.parametrize("chunk", [1 << 30, 70_000])
@pytest.mark.parametrize("filler", ["B", "B\n"])
def test_a_record_that_never_ends_is_the_end(read_csv: Read, chunk: int, filler: str) -> None:
    found = read_csv(f'to,name\na@x.org,A\nb@x.org,"{filler * ROW_BYTES}', chunk=chunk)
    assert found.fatal.code == "row_too_long"
    assert found.fatal.faults[0].line == 3


def test_faults_are_counted_beyond_the_first_hundred(read_csv: Read) -> None:
    found = read_csv("to,name\n" + "nobody,A\n" * 250)
    assert (len(found.faults), found.count, found.rows) == (100, 250, 250)
    assert found.faults[-1].line == 101


def test_other_channels_are_not_supported_yet(read_csv: Read) -> None:
    found = read_csv("to,name\nsomebody,A\n", channel=Channel.PUSH)
    assert [(f.code, f.line) for f in found.faults] == [("channel_not_supported_yet", 2)]


def test_numbers_stand_in_a_column_of_their_own(read_csv: Read) -> None:
    found = read_csv("name,phone\nA,+43 660 1234567\nB,4\n", channel=Channel.SMS)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("address_invalid", 3, 3)]


NO_LINE_ENDS = str.maketrans("", "", "\r\n")
CELLS = st.text(alphabet=st.sampled_from('ab",;\t\n\r é用\u2028'), max_size=6)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_what_the_standard_library_writes_is_read(
    rows: list[tuple[str, str]], delimiter: str, end: str, quoting: Any, chunk: int, slab: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:  # which leaves the line ends that it does not write itself unquoted
        rows = [(a.translate(NO_LINE_ENDS), b.translate(NO_LINE_ENDS)) for a, b in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("to", "a", "b"), *((f"p{n}@x.org", *row) for n, row in enumerate(rows))])
    coercer = Coercer([Variable(name=name, type=VariableType.STRING) for name in "ab"])
    reader = CsvReader(coercer, Channel.EMAIL, OnInvalid.FAIL, slab=slab)
    body = text.getvalue().encode()
    found = [
        checked.recipient
        for start in range(0, len(body), chunk)
        for some in reader.feed(body[start : start + chunk])
        for checked in some
    ]
    found += [checked.recipient for some in reader.end() for checked in some]
    assert reader.faults.kept == []
    given_data = [{name: cell for name, cell in zip("ab", row, strict=True) if cell} for row in rows]
    assert [(r.to, r.data) for r in found] == [(f"p{n}@x.org", data) for n, data in enumerate(given_data)]
    written = text.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(written[r.line - 1].lstrip('"').startswith(r.to) for r in found)
