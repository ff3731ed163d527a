"""The join of sink and ledger finds what it is there to find."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pagerd.cli.server import joining
from pagerd.core.views import RecipientView


def person(name: str, state: str = "accepted", *, flagged: bool = False) -> RecipientView:
    """Return somebody as the ledger shows them."""
    return RecipientView(
        id=f"rcp_{name}",
        session="ses_1",
        batch="bat_1",
        line=1,
        to=f"{name}@example.com",
        state=state,
        attempts=1,
        possible_duplicate=flagged,
        reason=None,
    )


def test_everybody_told_once_holds() -> None:
    found = joining.join([person("a"), person("b", "failed")], Counter({"a@example.com": 1}))
    assert found.holds
    assert (found.admitted, found.told, found.not_told, found.once) == (2, 1, 1, 1)


def test_somebody_told_whose_mail_never_arrived_is_lost() -> None:
    found = joining.join([person("a"), person("b")], Counter({"a@example.com": 1}))
    assert found.lost == ["b@example.com"]
    assert not found.holds


def test_two_mails_without_a_flag_break_the_promise_and_with_one_they_do_not() -> None:
    seen = Counter({"a@example.com": 2, "b@example.com": 3})
    silent = joining.join([person("a"), person("b", flagged=True)], seen)
    assert silent.more_unflagged == ["a@example.com"]
    assert silent.more_flagged == 1
    assert not silent.holds
    assert joining.join([person("a", flagged=True), person("b", flagged=True)], seen).holds


@pytest.mark.parametrize("state", ["pending", "deferred", "sending", "in_doubt"])
def test_somebody_still_open_at_the_end_breaks_the_promise(state: str) -> None:
    found = joining.join([person("a", state)], Counter())
    assert found.open == 1
    assert not found.holds


def test_a_flag_without_a_second_mail_is_counted_as_such() -> None:
    found = joining.join([person("a", flagged=True)], Counter({"a@example.com": 1}))
    assert (found.flagged_once, found.more_flagged, found.holds) == (1, 0, True)


def test_the_sinks_journal_is_counted_by_address(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes(b"1.0\t<x>\ta@example.com\t10\n2.0\t<y>\tb@example.com\t10\n3.0\t<x>\ta@example.com\t10\n")
    assert joining.journal_lines(journal) == 3
    assert joining.arrived(journal) == Counter({"a@example.com": 2, "b@example.com": 1})
