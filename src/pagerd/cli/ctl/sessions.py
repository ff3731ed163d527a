"""`pagerctl sessions`: what was sent, how it goes, and who of it is not told."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import Asks, asks, examples
from pagerd.cli.ctl.report import progress_line, show_end
from pagerd.cli.ctl.saying import count, note, say, show_json, table, visible
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pagerd.client import Pager
    from pagerd.core.views import RecipientView, SessionView

SESSION: Final = click.argument("id", metavar="SESSION")
LIMIT: Final = click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="0 is all.")


@click.group()
@examples(
    "pagerctl sessions list --state running",
    "pagerctl sessions watch ses_…",
    "pagerctl sessions recipients ses_… --not-told",
    "pagerctl sessions redrive ses_…",
)
def sessions() -> None:
    """See sessions, follow them, stop them, run the rest of them again."""


@sessions.command("list")
@click.option("--state", help="Only those in this state: running, paused, completed …")
@LIMIT
@asks
def list_(asks: Asks, /, state: str | None, limit: int) -> None:
    """List sessions, newest first."""
    with asks.pager() as pager:
        views = list(islice(pager.sessions.list(state=state), limit or None))
    if asks.json:
        return show_json(views)
    rows = [
        (view.id, view.state, view.template, count(view.total), count(view.told), count(view.not_told), view.created_at)
        for view in views
    ]
    table(rows, ("session", "state", "template", "people", "told", "not told", "created"))
    return None if rows else note("there are no sessions yet: pagerctl send --help")


@sessions.command()
@SESSION
@asks
def show(asks: Asks, /, id: str) -> None:
    """Show one session: the balance, and the reasons in groups."""
    with asks.pager() as pager:
        session = pager.sessions.get(id)
    if asks.json:
        return show_json(session.view)
    if not session.finished:
        say(progress_line(session.view))
        _show_pace(session.view)
    return show_end(session.view, finished=session.finished)


def _show_pace(view: SessionView) -> None:
    """Print how fast it goes, and when it will be over."""
    if view.rate_per_second:
        end = f", over at about {view.estimated_finish_at}" if view.estimated_finish_at else ""
        say(f"{view.rate_per_second:,.1f} people a second{end}")


@sessions.command()
@SESSION
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS", help="Follow it only so long.")
@asks
@examples(
    "Exit codes: 0 nobody is not told, 1 an error, 2 wrong use, 3 some not told,",
    "4 nobody told, cancelled or expired, 5 not over after --wait, 130 interrupted",
)
def watch(asks: Asks, /, id: str, wait: float | None) -> None:
    """Follow a session to its end. With --json, one line for every event."""
    from pagerd.cli.ctl.following import follow

    raise Exit(follow(asks, id, seconds=wait, every_event=True))


@sessions.command()
@SESSION
@click.option("--state", help="Only people in this state: failed, rejected, accepted …")
@click.option("--reason", help="Only people with this class of reason: permanent_address, transient …")
@click.option("--code", help="Only people with this code: '550 5.1.1' …")
@click.option("--not-told", is_flag=True, help="Everybody who is finally not told, whatever the reason.")
@LIMIT
@asks
def recipients(asks: Asks, /, id: str, not_told: bool, limit: int, **filters: str | None) -> None:
    """List a session's people, in the order of the file."""
    if not_told and filters["state"]:
        raise Refusal("--not-told and --state exclude each other", code=MISUSED)
    with asks.pager() as pager:
        people: Iterable[RecipientView] = _people(pager, id, filters, not_told=not_told)
        shown = list(islice(people, limit or None))
        more = bool(limit) and next(iter(people), None) is not None
    if asks.json:
        return show_json(shown)
    table([_row(one) for one in shown], ("line", "to", "state", "reason", "tries", "recipient"))
    if not shown:
        note("nobody")
    return note(f"these are the first {limit}; --limit 0 shows all") if more else None


def _people(pager: Pager, id: str, filters: dict[str, Any], *, not_told: bool) -> Iterator[RecipientView]:
    """Give the people who are asked for; those who are not told, state by state."""
    from pagerd.core.states import NOT_TOLD

    states = sorted(state.word for state in NOT_TOLD) if not_told else [filters["state"]]
    for state in states:
        yield from pager.sessions.recipients(id, **{**filters, "state": state})


def _row(one: RecipientView) -> tuple[object, ...]:
    reason = f"{one.reason.reason_class} {one.reason.code}" if one.reason else ""
    twice = " (maybe twice)" if one.possible_duplicate else ""
    return one.line, one.to or "(erased)", one.state, reason + twice, one.attempts, one.id


@sessions.command()
@SESSION
@click.option("--state", help="Only batches in this state: ready, waiting, failed …")
@LIMIT
@asks
def batches(asks: Asks, /, id: str, state: str | None, limit: int) -> None:
    """List a session's batches, in the order of the file."""
    with asks.pager() as pager:
        shown = list(islice(pager.sessions.batches(id, state=state), limit or None))
    if asks.json:
        return show_json(shown)
    rows = [(one.no, one.state, one.size, one.round, one.claims, one.effects, one.run_at, one.id) for one in shown]
    return table(rows, ("no", "state", "people", "round", "claims", "effects", "runs at", "batch"))


@sessions.command()
@SESSION
@click.option("--reason", help="Why, for those who look at it later.")
@asks
def pause(asks: Asks, /, id: str, reason: str | None) -> None:
    """Stop a session at the next message. What has left can't be stopped."""
    with asks.pager() as pager:
        _changed(asks, pager.sessions.pause(id, reason))


@sessions.command()
@SESSION
@asks
def resume(asks: Asks, /, id: str) -> None:
    """Let a paused session go on."""
    with asks.pager() as pager:
        _changed(asks, pager.sessions.resume(id))


@sessions.command()
@SESSION
@asks
def cancel(asks: Asks, /, id: str) -> None:
    """Give up everybody of a session who has not been told. A redrive can take them up again."""
    with asks.pager() as pager:
        _changed(asks, pager.sessions.cancel(id))


@sessions.command()
@SESSION
@click.option("--state", help="Only people in this state: failed, rejected, unknown, expired, cancelled.")
@click.option("--reason", help="Only people with this class of reason: transient, permanent_address …")
@click.option("--code", help="Only people with this code: '550 5.1.1' …")
@click.option("--force", is_flag=True, help="Also people who are permanently refused or suppressed.")
@asks
@examples(
    "pagerctl sessions redrive ses_…",
    "pagerctl sessions redrive ses_… --state failed --code '550 5.1.1' --force",
)
def redrive(asks: Asks, /, id: str, *, force: bool, **which: str | None) -> None:
    """Run people again who were not told: all whose reason may pass, or those that the options name."""
    options: dict[str, Any] = {name: value for name, value in which.items() if value is not None}
    options |= {"force": True} if force else {}
    with asks.pager() as pager:
        view = pager.sessions.redrive(id, **options)
    _changed(asks, view)
    if not asks.json:
        say(f"follow it:  pagerctl sessions watch {visible(view.id)}")


def _changed(asks: Asks, /, view: SessionView) -> None:
    """Show a session after a change."""
    if asks.json:
        show_json(view)
    else:
        say(f"{visible(view.id)}  {progress_line(view)}")


COMMANDS: Final = (sessions,)
