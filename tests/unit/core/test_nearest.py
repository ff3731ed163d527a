"""The nearest right name."""

from __future__ import annotations

import pytest

from pagerd.core.nearest import alike, did_you_mean, nearest

NAMES = ("name", "first_name", "total", "city")


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("nmae", "name"),
        ("Name", "name"),
        ("First Name", "first_name"),
        ("firstname", "first_name"),
        ("totals", "total"),
        ("zip", None),
        ("capacity", None),
        ("", None),
        ("t" * 1000, None),
    ],
)
def test_slips(slip: str, meant: str | None) -> None:
    assert nearest(slip, NAMES, 0.75) == meant


def test_an_exact_name_is_not_taken_for_a_near_one() -> None:
    assert nearest("names", ("name", "names")) == "names"


def test_words_for_a_message() -> None:
    assert did_you_mean("citty", NAMES) == "; did you mean 'city'?"
    assert did_you_mean("zzz", NAMES) == ""


def test_alike_is_only_about_spelling() -> None:
    assert alike("Time-Zone", ("timezone",)) == "timezone"
    assert alike("timezones", ("timezone",)) is None
