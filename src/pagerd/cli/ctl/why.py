"""`pagerctl why`: everything about one person, over all sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import rich_click as click

from pagerd.cli.ctl.asking import Asks, asks, examples
from pagerd.cli.ctl.saying import coloured, note, plural, say, show_json, visible
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.core.views import TimelineView

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--session", metavar="SESSION", help="Only in this session.")
@click.option("--since", metavar="WHEN", help="Only since then: 7d, 12h, or 2026-11-01.")
@asks
@examples(
    "pagerctl why ada@example.com",
    "pagerctl why ada@example.com --since 7d --json",
)
def why(asks: Asks, /, address: str, session: str | None, since: str | None) -> None:
    """Say what became of one person: each session, each attempt, and the reason for every non-send."""
    with asks.pager() as pager:
        found = pager.recipients.search(address, session=session, since=_moment(since) if since else None)
    if asks.json:
        return show_json(found)
    for timeline in found:
        _show(timeline)
    return None if found else note(f"nobody has been told anything at {visible(address)}, nor is anybody about to be")


def _moment(text: str) -> datetime:
    """Return the moment that ``--since`` names: so long ago, or a date."""
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isdigit():
        return datetime.now(UTC) - timedelta(**{_UNITS[unit]: int(number)})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as problem:
        raise Refusal(f"--since {text!r} is no moment", do="write 7d, 12h, or 2026-11-01", code=MISUSED) from problem


def _show(timeline: TimelineView) -> None:
    """Print one session's part of the story."""
    one = timeline.recipient
    say(f"{visible(timeline.created_at)}  {visible(timeline.template)}  {visible(one.session)} line {one.line}")
    reason = ""
    if one.reason is not None:
        again = "may pass" if one.reason.retryable else "will not pass by itself"
        reason = f": {visible(one.reason.reason_class)} {visible(one.reason.code)} ({again})"
    say(f"  {coloured(one.state)}{reason}" + (", perhaps told twice" if one.possible_duplicate else ""))
    if one.not_before:
        say(f"  tried again from {visible(one.not_before)}")
    for attempt in timeline.attempts:
        when = visible(attempt.ended_at or attempt.started_at or "")
        words = f" {visible(attempt.text)}" if attempt.text else ""
        say(f"  {when}  {visible(attempt.provider)}: {visible(attempt.outcome)} {visible(attempt.code)}{words}")
    if not timeline.attempts:
        say(f"  {plural(one.attempts, 'attempt')}")
    say()


COMMANDS: Final = (why,)
