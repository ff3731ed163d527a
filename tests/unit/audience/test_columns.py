"""The header of a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagerd.audience.files import FileKind, open_reader
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.variables import Variable, VariableType

Read = Callable[..., Any]


def test_names_match_without_regard_to_case_and_space(read_csv: Read) -> None:
    found = read_csv(" TO , Name,TOTAL \na@x.org,A,1\n")
    assert found.recipients[0].data == {"name": "A", "total": 1}
    assert found.ignored == ()


def test_variables_that_differ_only_in_case_are_told_by_it(read_csv: Read) -> None:
    coercer = Coercer([Variable(name="Name"), Variable(name="name")])
    assert read_csv("to,name,Name\na@x.org,1,2\n", coercer=coercer).recipients[0].data == {"name": "1", "Name": "2"}


def test_columns_that_nobody_declared_are_ignored_and_reported(read_csv: Read) -> None:
    found = read_csv("to,name,zip,,zip\na@x.org,A,1,2,3\n")
    assert found.recipients[0].data == {"name": "A"}
    assert found.ignored == ("zip", "column 4")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("name", [("column_missing", None)]),
        ("phone,name", [("column_missing", None)]),
        ("to,email,name", [("column_conflict", 4)]),
        ("phone,to,name", [("column_conflict", 1)]),
        ("to,To,name", [("column_repeated", 4)]),
        ("to,name,Name", [("column_repeated", 9)]),
        ("to", [("variable_missing", None)]),
        ("to,nmae", [("variable_unknown", 4)]),
        ("to,name,totl", [("variable_unknown", 9)]),
        ("to,name,time zone", [("variable_unknown", 9)]),
        ("e-mail,name", [("variable_unknown", 1), ("column_missing", None)]),
        ("to,name" + ",x" * 499, [("too_many_columns", 1005)]),
    ],
)
def test_what_can_be_wrong_with_a_header(read_csv: Read, header: str, expected: list[tuple[str, int | None]]) -> None:
    for on_invalid in OnInvalid:
        found = read_csv(f"\n{header}\na@x.org,A\n", on_invalid)
        assert found.fatal is not None
        assert [(f.code, f.column) for f in found.fatal.faults] == expected
        assert {f.line for f in found.fatal.faults} == {2}


def test_a_slip_names_what_was_meant(read_csv: Read) -> None:
    assert "did you mean 'name'?" in read_csv("to,nmae\n").fatal.detail


def test_a_near_name_beside_the_right_one_is_ignored(read_csv: Read) -> None:
    assert read_csv("to,name,names\na@x.org,A,B\n").ignored == ("names",)


def test_what_the_session_gives_needs_no_column(read_csv: Read) -> None:
    coercer = Coercer([Variable(name="shop", required=True)], shared={"shop"})
    assert read_csv("to\na@x.org\n", coercer=coercer).recipients[0].data == {}


def test_the_given_delimiter_decides(read_csv: Read, order: Coercer) -> None:
    body = "to;name\na@x.org;A\n"
    assert read_csv(body, delimiter=";").recipients[0].data == {"name": "A"}
    assert read_csv(body, delimiter=",").fatal is not None
    for word in (";", "semicolon"):
        reader = open_reader(FileKind.CSV, order, Channel.EMAIL, OnInvalid.FAIL, delimiter=word)
        assert [*reader.feed(body.encode()), *reader.end()][0][0].recipient.to == "a@x.org"
    with pytest.raises(Invalid) as refused:
        open_reader(FileKind.CSV, order, Channel.EMAIL, OnInvalid.FAIL, delimiter="x")
    assert refused.value.code == "delimiter_unknown"


def test_names_tell_the_delimiter_not_only_numbers(read_csv: Read) -> None:
    found = read_csv('"a,b,c,d";to;name\nx;a@x.org;A\n')
    assert found.recipients[0].data == {"name": "A"}


@pytest.mark.parametrize("body", ["", "\n", "\r\n\r\n", "\ufeff"])
def test_a_file_without_header(read_csv: Read, body: str) -> None:
    assert read_csv(body).fatal.code == "header_missing"


def test_a_header_alone_is_nobody(read_csv: Read) -> None:
    found = read_csv("to,name")
    assert (found.people, found.rows, found.fatal) == ([], 0, None)


def test_a_header_that_is_never_closed(read_csv: Read) -> None:
    fatal = read_csv('to,"name\na@x.org,A\n').fatal
    assert (fatal.code, fatal.faults[0].line, fatal.faults[0].column) == ("quote_unclosed", 1, 4)


def test_a_typed_required_column(read_csv: Read) -> None:
    coercer = Coercer([Variable(name="n", required=True, type=VariableType.INTEGER)])
    found = read_csv("to,n\na@x.org,\nb@x.org,x\nc@x.org,3\n", coercer=coercer)
    assert [(f.code, f.line, f.column) for f in found.faults] == [("variable_missing", 2, 9), ("variable_type", 3, 9)]
