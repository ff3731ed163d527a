"""Goes through with an order, once: finds the session that exists, or makes it, uploads the people, and starts it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pagerd.cli.ctl.audience import Audience, Portion
from pagerd.cli.ctl.following import Advance
from pagerd.cli.ctl.order import next_key
from pagerd.cli.ctl.saying import note, plural, visible
from pagerd.cli.ctl.shell import MISUSED, SHOWN, Refusal

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.client.blocking import Blocking
    from pagerd.client.errors import ApiError
    from pagerd.client.session import Session
    from pagerd.core.errors import Fault
    from pagerd.core.views import PartView, SessionView

    Made: TypeAlias = Session[Blocking]

RECENT: Final = timedelta(hours=24)
GENERATIONS: Final = 100
"""An order may have been sent so often within the life of a key, once a day or more rarely."""


class Survey(NamedTuple):
    """What a first reading of a file found."""

    people: int
    digest: str


def survey(audience: Audience) -> Survey:
    """Read the whole file once, part by part: count its people, and take its digest."""
    digest = hashlib.sha256()
    people = 0
    for portion in audience.portions():
        digest.update(portion.body)
        people += portion.people
    if not people:
        raise Refusal(f"{audience.source.name} holds nobody", code=MISUSED)
    return Survey(people, digest.hexdigest())


def begun(make: Callable[[str], Made], key: str) -> Made:
    """Return the session of an order: the one of the last 24 hours if there is one, else a new one.

    A session that is older, or that ended before it began, is history: the order's next key is tried. So the same
    order finds the same session from wherever it is typed, without anything being kept on this machine.
    """
    for _ in range(GENERATIONS):
        session = make(key)
        if not session.replayed or not _is_history(session.view):
            return session
        key = next_key(key, session.id)
    raise Refusal("this was sent too often to tell which session is meant", do="send it with --again")


def _is_history(view: SessionView) -> bool:
    """Tell whether a session is no reason not to send."""
    if view.state in {"cancelled", "expired"} and view.started_at is None:
        return True
    return datetime.now(UTC) - datetime.fromisoformat(view.created_at) > RECENT


def uploaded(pager: Pager, session: Made, audience: Audience, found: Survey, advance: Advance) -> SessionView:
    """Upload a file in parts and start the session. Parts that are there already, from an attempt before, stay."""
    there = {part.part: part for part in pager.sessions.parts(session.id)}
    digest = hashlib.sha256()
    number = recipients = done = 0
    for number, portion in enumerate(audience.portions(), 1):
        digest.update(portion.body)
        part = there.get(number)
        if part is None or part.digest != hashlib.sha256(portion.body).hexdigest():
            part = _put(pager, session.id, number, audience, portion)
        recipients += part.recipients
        done += portion.people
        advance(done, found.people, "rows uploaded")
    if digest.hexdigest() != found.digest:
        pager.sessions.cancel(session.id)
        raise Refusal(f"{audience.source.name} changed while it was read; nothing was sent")
    return pager.sessions.start(session.id, parts=number, recipients=recipients).view


def _put(pager: Pager, id: str, number: int, audience: Audience, portion: Portion) -> PartView:
    """Upload one part; what is wrong in it is told by its place in the file. A refused part ends the session."""
    from pagerd.client.errors import ApiError

    kind, delimiter = audience.content_type, "tab" if audience.delimiter == "\t" else audience.delimiter
    name = audience.source.name
    try:
        offset = portion.line_in_file(portion.head_lines + 1) - portion.head_lines - 1
        part = pager.sessions.put_part(
            id, number, portion.body, content_type=kind, delimiter=delimiter, line_offset=offset
        )
    except ApiError as problem:
        if not problem.faults:
            raise
        pager.sessions.cancel(id)
        raise _refused(name, portion, problem) from problem
    for fault in part.errors[:SHOWN]:
        note(f"left out  {visible(_told(name, portion, fault))}")
    if part.flaws > SHOWN:
        note(f"left out  {plural(part.flaws - SHOWN, 'more')} of lines {portion.first_line:,} and on")
    if number == 1 and part.ignored_columns:
        note(f"columns that the template does not ask for: {visible(', '.join(part.ignored_columns))}")
    return part


def _refused(name: str, portion: Portion, problem: ApiError) -> Refusal:
    lines = [_told(name, portion, fault) for fault in problem.faults[:SHOWN]]
    more = problem.count - len(lines)
    lines += [f"… and {more:,} more"] * (more > 0)
    return Refusal(
        *lines, "nothing was sent", do="mend the file and send it again; or leave such people out with --skip-invalid"
    )


def _told(name: str, portion: Portion, fault: Fault) -> str:
    """Return a fault of a part in words, with its place in the file."""
    line = f":{portion.line_in_file(fault.line)}" if fault.line is not None else ""
    column = f":{fault.column}" if line and fault.column is not None else ""
    return f"{name}{line}{column}: {fault.detail}"


def said_before(view: SessionView) -> str:
    """Return the line that says that this was sent already."""
    age = datetime.now(UTC) - datetime.fromisoformat(view.created_at)
    minutes = int(age.total_seconds() // 60)
    ago = f"{minutes // 60} h ago" if minutes >= 60 else f"{plural(minutes, 'minute')} ago" if minutes else "just now"
    return f"this was sent {ago}, as {view.id}: following it, nobody is told twice (--again sends it once more)"
