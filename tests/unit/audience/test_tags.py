"""Locales and time zones."""

from __future__ import annotations

import pytest

from pagerd.audience.tags import locale_problem, locale_tag, time_zone, zone_problem


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("en", "en"),
        ("DE-at", "de-AT"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-CH-1996", "de-CH-1996"),
        (" fr ", "fr"),
        ("en-u-hc-h12", "en-u-hc-h12"),
    ],
)
def test_tags_are_given_their_usual_case(text: str, tag: str) -> None:
    assert locale_tag(text) == tag


@pytest.mark.parametrize(
    "text", ["", "e", "english", "en_US", "en-", "-en", "en--US", "\u017fk", "en\n", "e" * 99, "de-ä"]
)
def test_what_is_no_tag(text: str) -> None:
    assert locale_tag(text) is None


def test_a_slip_in_a_tag_is_named() -> None:
    assert 'write "en-US"' in locale_problem("en_us")
    assert "did you mean" not in locale_problem("english")


@pytest.mark.parametrize("name", ["Europe/London", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+3"])
def test_time_zones(name: str) -> None:
    assert time_zone(name) == name
    assert time_zone(f" {name}") == name


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/Atlantis", "europe/london", "../etc/passwd", "/UTC", "a\0b", "+01:00"]
)
def test_what_is_no_time_zone(name: str) -> None:
    assert time_zone(name) is None


def test_a_slip_in_a_time_zone_is_named() -> None:
    assert '"Europe/London"' in zone_problem("europe/london")
    assert '"Europe/Berlin"' in zone_problem("Berlin")
    assert '"America/New_York"' in zone_problem("new york")
    assert "did you mean" not in zone_problem("Atlantis")
