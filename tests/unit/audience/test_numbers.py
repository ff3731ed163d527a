"""Telephone numbers: what is one, and how it is written."""

from __future__ import annotations

import pytest

from pagerd.audience.channels import check_of, known_as
from pagerd.audience.numbers import checked_number
from pagerd.core.policy import Channel
from pagerd.core.recipients import Flaw


@pytest.mark.parametrize(
    ("to", "region", "e164"),
    [
        ("+43 660 1234567", None, "+436601234567"),
        (" +43(0)660/123-4567 ", None, "+436601234567"),
        ("0660 1234567", "AT", "+436601234567"),
        ("0043 660 1234567", "AT", "+436601234567"),
        ("+1 202 555 0123", "AT", "+12025550123"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("+39 06 6982", None, "+39066982"),
    ],
)
def test_a_number_is_written_as_all_the_world_does(to: str, region: str | None, e164: str) -> None:
    found = checked_number(to, region)
    assert not isinstance(found, Flaw), found
    assert (found.address, found.normalised) == (e164, e164)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("", "digits"),
        ("ada@example.com", "digits"),
        ("+1 800 FLOWERS", "letters"),
        ("+43 660 1234567 ext. 5", "extension"),
        ("tel:+436601234567", "digits"),
        ("+٤٣٦٦٠١٢٣٤٥٦٧", "digits"),
        ("0660 1234567", "no country"),
        ("+999 1234567", "country code"),
        ("+43 66", "short"),
        ("+1 202 555 01234", "long"),
        ("+" + "1" * 60, "digits"),
        ("+", "digits"),
        ("+12025550123\n+12025550124", "digits"),
    ],
)
def test_what_is_no_number_is_told(to: str, words: str) -> None:
    found = checked_number(to, None)
    assert isinstance(found, Flaw)
    assert found.code == "address_invalid"
    assert words in found.detail


def test_an_address_is_known_whatever_channel_it_is_of() -> None:
    assert known_as("Ada@Example.com") == "ada@example.com"
    assert known_as("+43 660 1234567") == "+436601234567"
    assert known_as("customer 17") == "customer 17"
    assert known_as("@@") == "@@"


def test_a_channel_that_is_not_built_says_so() -> None:
    found = check_of(Channel.PUSH)("token")
    assert isinstance(found, Flaw)
    assert found.code == "channel_not_supported_yet"
