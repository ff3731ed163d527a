"""Says who is about to be told, from whom, how many, and what they will read; and asks whether that is meant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import rich_click as click

from pagerd.cli.ctl.audience import Person
from pagerd.cli.ctl.checking import check, first_line, told_faults
from pagerd.cli.ctl.order import Template
from pagerd.cli.ctl.saying import count, note, plural, visible
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.client import Pager

ANSWERS: Final = 3
"""How often the count may be mistyped."""


class Crowd(NamedTuple):
    """Who is to be told, as far as it is said beforehand: how many, out of which file, and the first of them."""

    people: int
    name: str | None
    first: list[Person]
    columns: bool


def announce(pager: Pager, template: Template, crowd: Crowd, options: dict[str, Any]) -> None:
    """Say who, from whom, how many, and one rendered line; raise if the first people can't be told as they stand."""
    view, faults = check(pager, template, crowd.first, options, columns=crowd.columns)
    if faults and options.get("on_invalid") != "skip":
        raise Refusal(
            *told_faults(crowd.name or "--to", faults), do="mend the file; or leave such people out with --skip-invalid"
        )
    rendered = view.rendered[0] if view.rendered else {}
    live = "live" if pager.choice.server.live else "test"
    when = f", at {options['send_at']}" if "send_at" in options else ""
    note(click.style(f"{template.reference}", bold=True) + f" ({live}{when}) by {pager.choice.server.url}")
    note(f"  to    {_who(crowd)}")
    note(f"  from  {visible(_sender(rendered, template, options))}")
    if rendered:
        note(f"  says  {visible(first_line(rendered))}")
        note(f"        (to {visible(rendered.get('to', ''))})")
    else:
        note("  says  nothing that could be shown: none of the first people can be told")


def _who(crowd: Crowd) -> str:
    """Return how many people, of which file, and the first of them."""
    first = ", ".join(visible(_address(person)) for person in crowd.first[:2])
    more = " …" if crowd.people > 2 else ""
    of = f" of {visible(crowd.name)}" if crowd.name else ""
    return f"{plural(crowd.people, 'person', 'people')}{of} ({first}{more})"


def _address(person: Person) -> str:
    row = person.recipient if isinstance(person.recipient, dict) else {}
    to = row.get("to", "")
    return str(next(iter(to.values()), "") if isinstance(to, dict) else to)


def _sender(rendered: dict[str, Any], template: Template, options: dict[str, Any]) -> str:
    """Return whom people will see as the sender, as far as it can be known here."""
    return str(rendered.get("from") or options.get("sender") or template.draft.sender or "the provider's own sender")


def confirm(pager: Pager, people: int, *, yes: bool) -> None:
    """Let a person type the count before real people are told; scripts say ``--yes``."""
    if yes or not pager.choice.server.live:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal("a live key tells real people, and nobody is here to ask", do="add --yes", code=MISUSED)
    for _ in range(ANSWERS):
        answer = click.prompt(f"Type {people} to tell them", default="", show_default=False, err=True)
        if answer.replace(",", "").strip() == str(people):
            return
        if not answer.strip():
            break
        note(f"That is not {count(people)}.")
    raise Refusal("nobody was told: the count was not confirmed")
