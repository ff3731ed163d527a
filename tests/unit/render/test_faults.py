"""A fault points at its place: line, column, caret."""

from __future__ import annotations

from pagerd.render.faults import characters, pointed


def test_line_and_column_count_from_one() -> None:
    assert pointed("ab\ncd", 0) == (1, 1, "ab\n^")
    assert pointed("ab\ncd", 4) == (2, 2, "cd\n ^")


def test_the_end_of_the_source_has_a_place() -> None:
    assert pointed("ab\n", 3) == (2, 1, "\n^")


def test_tabs_stay_tabs_before_the_caret() -> None:
    assert pointed("\tab", 2)[2] == "\tab\n\t ^"


def test_a_carriage_return_is_not_shown() -> None:
    assert pointed("ab\r\ncd", 1) == (1, 2, "ab\n ^")


def test_a_long_line_is_cut_to_the_place() -> None:
    line, column, excerpt = pointed("x" * 5000 + "?" + "y" * 5000, 5000)
    shown, caret = excerpt.split("\n")
    assert (line, column) == (1, 5001)
    assert len(shown) <= 102
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert shown[len(caret) - 1] == "?"


def test_offsets_of_the_engine_are_bytes() -> None:
    source = "ää😀 {{ a"
    assert characters(source, len("ää😀 ".encode())) == 4
    assert characters("plain", 3) == 3
