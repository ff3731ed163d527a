"""What is said of a session: a line while it runs, the balance and the reasons at its end, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pagerd.cli.ctl.saying import coloured, count, say, table, visible

if TYPE_CHECKING:
    from pagerd.core.views import SessionView

ALL_TOLD: Final = 0
SOME_NOT_TOLD: Final = 3
NOBODY_TOLD: Final = 4
STILL_RETRYING: Final = 5


def exit_code(view: SessionView, *, finished: bool) -> int:
    """Return 0 nobody not told, 3 some, 4 nobody told though somebody should be (or cancelled, expired), 5 not over."""
    if not finished:
        return STILL_RETRYING
    if view.state in {"cancelled", "expired"} or (view.not_told and not view.told):
        return NOBODY_TOLD
    return SOME_NOT_TOLD if view.not_told else ALL_TOLD


def balance(view: SessionView) -> str:
    """Return the balance in one line."""
    parts = (
        ("told", view.told),
        ("withheld", view.withheld),
        ("not told", view.not_told),
        ("in doubt", view.in_doubt),
        ("to go", view.to_go),
    )
    return " + ".join(f"{words} {count(number)}" for words, number in parts) + f" = {count(view.total)}"


def progress_line(view: SessionView) -> str:
    """Return where a session stands, in one line."""
    rest = [f"{words} {count(number)}" for words, number in _others(view) if number]
    why = f" ({visible(view.pause_reason)})" if view.state == "paused" and view.pause_reason else ""
    return f"{coloured(view.state)}{why}: told {count(view.told)} of {count(view.total)}" + "".join(
        f", {words}" for words in rest
    )


def _others(view: SessionView) -> Iterator[tuple[str, int]]:
    yield "withheld", view.withheld
    yield "not told", view.not_told
    yield "in doubt", view.in_doubt
    yield "to go", view.to_go


def show_end(view: SessionView, *, finished: bool) -> None:
    """Print the balance, the reasons in groups, and what to type next."""
    say(f"{view.id}  {coloured(view.state)}  {visible(view.template)} by {visible(view.channel)}")
    say(balance(view))
    if view.possible_duplicates:
        say(f"{count(view.possible_duplicates)} may have been told twice: their answer was never read")
    if view.reasons:
        say()
        order = sorted(view.reasons, key=lambda one: -one.count)
        table([(count(one.count), one.state, one.reason_class, one.code) for one in order])
        say()
        who = "--not-told" if view.not_told else f"--state {order[0].state}"
        say(f"who they are:  pagerctl sessions recipients {view.id} {who}")
    if any(one.retryable and one.state != "deferred" for one in view.reasons):
        say(f"try them again:  pagerctl sessions redrive {view.id}")
    if not finished:
        say(f"it goes on; look again:  pagerctl sessions watch {view.id}")
