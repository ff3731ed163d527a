"""Asks the server what it would do with people of a file, before anything is sent; tells it in places of the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pagerd.cli.ctl.audience import Person
from pagerd.cli.ctl.order import Template
from pagerd.cli.ctl.saying import coloured, count, note, plural, say, show_json, visible
from pagerd.cli.ctl.shell import FAILED, SHOWN

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.core.errors import Fault
    from pagerd.core.views import CheckView

SAMPLE: Final = 10
AT_ONCE: Final = 1_000
ROOM: Final = 512 * 1024
_PLACE: Final = re.compile(r"/audience/recipients/(\d+)(?:/data/([^/]+)|/(.*))?")


class Checked(NamedTuple):
    """What the server says about some people; faults with the line that they stand on."""

    view: CheckView
    faults: list[tuple[int, Fault]]


class Total(NamedTuple):
    """What the server says about a whole file."""

    recipients: int
    valid: int
    wrong: int
    duplicates: int
    pieces: int
    faults: list[tuple[int, Fault]]
    rendered: dict[str, Any] | None


def check(pager: Pager, template: Template, people: list[Person], options: dict[str, Any], *, columns: bool) -> Checked:
    """Ask about some people. With ``columns`` (CSV) a variable that the template does not have is nobody's column."""
    rows = [person.recipient for person in people]
    view = pager.sessions.check(template.reference, recipients=rows, **options)
    unknown = {_PLACE.sub(r"\2", fault.pointer or "") for fault in view.errors if fault.code == "variable_unknown"}
    if unknown and columns:
        rows = [_without(row, unknown) for row in rows]
        view = pager.sessions.check(template.reference, recipients=rows, **options)
    return Checked(view, [(_line(fault, people), fault) for fault in view.errors])


def check_all(
    pager: Pager, template: Template, people: Iterable[Person], options: dict[str, Any], *, columns: bool
) -> Total:
    """Ask about everybody, as many at once as one request carries."""
    total = Total(0, 0, 0, 0, 0, [], None)
    for some in _pieces(people):
        view, faults = check(pager, template, some, options, columns=columns)
        total = Total(
            recipients=total.recipients + view.recipients,
            valid=total.valid + view.valid,
            wrong=total.wrong + view.error_count,
            duplicates=total.duplicates + view.duplicates,
            pieces=total.pieces + 1,
            faults=(total.faults + faults)[:100],
            rendered=total.rendered or next(iter(view.rendered), None),
        )
    return total


def _pieces(people: Iterable[Person]) -> Iterator[list[Person]]:
    """Give people in lists that one request carries."""
    import msgspec

    some: list[Person] = []
    size = 0
    for person in people:
        some.append(person)
        size += len(msgspec.json.encode(person.recipient))
        if len(some) >= AT_ONCE or size >= ROOM:
            yield some
            some, size = [], 0
    if some:
        yield some


def _without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    data = {name: value for name, value in row.get("data", {}).items() if _escaped(name) not in names}
    return {**row, "data": data}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _line(fault: Fault, people: list[Person]) -> int:
    """Return the line of the file that a fault in a request is about."""
    found = _PLACE.match(fault.pointer or "")
    place = int(found[1]) if found else 0
    return people[place].line if place < len(people) else 0


def told_faults(name: str, faults: Iterable[tuple[int, Fault]]) -> Iterator[str]:
    """Give faults in words, each with its place in the file."""
    return (f"{name}:{line}: {fault.detail}" for line, fault in islice(faults, SHOWN))


def show_total(name: str, total: Total, *, as_json: bool) -> int:
    """Print what was found in a whole file; return the exit code."""
    if as_json:
        show_json(total._asdict() | {"faults": [{"line": line, "fault": fault} for line, fault in total.faults]})
        return FAILED if total.wrong else 0
    for line in told_faults(name, total.faults):
        note(visible(line))
    if total.wrong > len(total.faults[:SHOWN]):
        note(f"… and {count(total.wrong - len(total.faults[:SHOWN]))} more")
    twice = f"{'at least ' if total.pieces > 1 and total.duplicates else ''}{count(total.duplicates)} of them twice"
    wrong = plural(total.wrong, "mistake")
    say(f"{plural(total.recipients, 'person', 'people')}: {count(total.valid)} could be told, {twice}, {wrong}")
    if total.rendered is not None:
        say(f"says  {visible(first_line(total.rendered))}")
    say("nothing was sent" if not total.wrong else coloured("nothing was sent", "failed"))
    return FAILED if total.wrong else 0


def first_line(rendered: dict[str, Any]) -> str:
    """Return one line of what a person would read: the subject, or the first line of the text."""
    if rendered.get("error"):
        return f"(can't be rendered: {rendered['error']})"
    text = str(rendered.get("subject") or rendered.get("text") or "").strip()
    return text.splitlines()[0] if text else "(nothing)"
