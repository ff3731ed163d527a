"""The calls about sessions that the list of them and the single one share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

import msgspec

from pagerd.client.calls import Caller, at, posted
from pagerd.client.errors import ApiError, Conflict, NotPager, Unreachable, problem_of
from pagerd.client.events import Event, Reader
from pagerd.client.steps import Course, Give, Plan, Request, hear, listen, rest
from pagerd.core.views import BatchView, RecipientView, SessionView

START_SECONDS: Final = 300.0
"""How long a server may be silent over a start: it looks for duplicates among all people before it answers."""

PAGE: Final = 500
"""Items to ask for at once: the most that a page may have."""


class PeopleFilters(TypedDict, total=False):
    """Which people of a session; ``reason`` is a class of reasons, ``code`` one inside it."""

    state: str | None
    reason: str | None
    code: str | None


class BatchFilters(TypedDict, total=False):
    """Which batches of a session."""

    state: str | None


class RedriveOptions(TypedDict, total=False):
    """Which people to run again; without any: all whose reason is retryable. ``reason`` is a class of reasons."""

    state: str
    reason: str
    code: str
    force: bool
    expires_at: datetime | str


def fresh_key() -> str:
    """Return an idempotency key that nobody has used."""
    return uuid.uuid4().hex


def is_finished(view: SessionView) -> bool:
    """Tell whether a session has come to its end (which a redrive may still undo)."""
    return view.over


class SessionCalls(Caller):
    """Plans about one session, by its identifier."""

    def _noted(self, view: SessionView) -> SessionView:
        """Return a view that was just seen; one who holds the session remembers it."""
        return view

    def _look(self, id: str) -> Plan[SessionView]:
        """Look at a session."""
        return self._noted((yield from self._call(SessionView, Request(method="GET", path=at("sessions", id)))))

    def _control(self, id: str, verb: str, body: Mapping[str, Any] | None = None) -> Plan[SessionView]:
        """Pause, resume or cancel: done twice is done once."""
        request = posted(at("sessions", id, verb), body)
        return self._noted((yield from self._call(SessionView, request, repeatable=True)))

    def _redriven(self, id: str, options: RedriveOptions) -> Plan[SessionView]:
        """Run people again. Never repeated on its own: the first one may have begun, and ended, unseen."""
        named = {"state": options.get("state"), "class": options.get("reason"), "code": options.get("code")}
        where = {name: value for name, value in named.items() if value is not None}
        body = {"where": where or None, "force": options.get("force"), "expires_at": options.get("expires_at")}
        given = {name: value for name, value in body.items() if value is not None}
        return self._noted((yield from self._call(SessionView, posted(at("sessions", id, "redrive"), given))))

    def _started(self, id: str, *, parts: int, recipients: int) -> Plan[SessionView]:
        """Start an uploaded session. If an earlier answer was lost, the session that runs is the answer."""
        body = {"parts": parts, "recipients": recipients}
        request = posted(at("sessions", id, "start"), body, timeout=START_SECONDS)
        try:
            return self._noted((yield from self._call(SessionView, request, repeatable=True)))
        except Conflict as problem:
            view = yield from self._look(id)
            if problem.code == "parts_mismatch" or view.state == "staging" or view.total != recipients:
                raise
            return view

    def _people(self, id: str, filters: PeopleFilters) -> Course[RecipientView]:
        """Give a session's people, in file order."""
        yield from self._pages(RecipientView, at("sessions", id, "recipients"), {"limit": PAGE, **filters})

    def _first_people(self, id: str, filters: PeopleFilters, count: int) -> Plan[list[RecipientView]]:
        """Return up to ``count`` people, in file order."""
        found: list[RecipientView] = []
        cursor: str | None = None
        while True:
            query = {"limit": min(PAGE, count), **filters}
            page = yield from self._page(RecipientView, at("sessions", id, "recipients"), query, cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None or len(found) >= count:
                return found[:count]

    def _batches(self, id: str, filters: BatchFilters) -> Course[BatchView]:
        """Give a session's batches, in file order."""
        yield from self._pages(BatchView, at("sessions", id, "batches"), {"limit": PAGE, **filters})

    def _heard(self, id: str, last_id: str = "") -> Course[Event]:
        """Give the events of a session from one connection, until it ends or breaks."""
        yield from self._tuned(id, last_id)
        reader = Reader(last_id)
        while chunk := (yield from hear()):
            for event in reader.feed(chunk):
                yield Give(event)

    def _tuned(self, id: str, last_id: str) -> Plan[None]:
        """Begin to listen to a session's events, after the last one heard."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        path = at("sessions", id, "events")
        head = yield from listen(Request(method="GET", path=path, headers=headers))
        if head.status >= 300:
            raise problem_of(head.status, head.headers, head.body)
        if not head.headers.get("content-type", "").startswith("text/event-stream"):
            raise NotPager("the server answered something other than events")

    def _followed(self, id: str) -> Course[SessionView]:
        """Give a session whenever it has changed, until it is finished.

        By events while they can be heard; where they break off by a look at the session, and then by events again
        from where they broke; by looks alone where the server, or something before it, does not speak events.
        """
        ear = _Ear()
        while True:
            if ear.open:
                yield from self._views(id, ear)
            if ear.seen is None or not is_finished(ear.seen):
                view = yield from self._look(id)
                if view != ear.seen:
                    ear.seen = view
                    yield Give(view)
            if is_finished(ear.seen):
                return
            yield from rest(self._patience.poll)

    def _views(self, id: str, ear: _Ear) -> Course[SessionView]:
        """Give what one connection lets hear of a session; note whether to listen again, and from where."""
        try:
            yield from self._tuned(id, ear.last_id)
            reader = Reader(ear.last_id)
            while chunk := (yield from hear()):
                for event in reader.feed(chunk):
                    ear.last_id = event.id
                    view = _view_in(event)
                    if view is not None and view != ear.seen:
                        ear.seen = self._noted(view)
                        yield Give(view)
        except Unreachable:
            return
        except NotPager:
            ear.open = False
        except ApiError as problem:
            ear.open = problem.status not in {404, 405, 406, 501}


class _Ear(msgspec.Struct):
    """What was last heard and seen of a session, and whether listening is worth while."""

    open: bool = True
    last_id: str = ""
    seen: SessionView | None = None


def _view_in(event: Event) -> SessionView | None:
    """Return the session that an event shows; ``None`` for an event about something else."""
    try:
        return msgspec.json.decode(event.data, type=SessionView)
    except msgspec.DecodeError:
        return None
