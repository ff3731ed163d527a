"""Sessions: tell an audience, and find what was told."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Unpack

from pagerd.client.calls import at, posted, read
from pagerd.client.events import Event
from pagerd.client.face import F, Faced, operation, stream
from pagerd.client.options import SessionOptions, body_of
from pagerd.client.people import INLINE_BYTES, INLINE_ROWS, Part, Person
from pagerd.client.session import Session
from pagerd.client.sessioncalls import BatchFilters, PeopleFilters, RedriveOptions, fresh_key
from pagerd.client.steps import Course, Plan, Request, Rows, fill
from pagerd.client.uploading import NDJSON, UploadCalls
from pagerd.core.views import BatchView, CheckView, Page, PartView, RecipientView, SessionView


class Sessions(UploadCalls, Faced[F]):
    """All sessions of a workspace."""

    @operation
    def send(
        self,
        template: str,
        *,
        recipients: Iterable[Person] | AsyncIterable[Person],
        idempotency_key: str | None = None,
        **options: Unpack[SessionOptions],
    ) -> Plan[Session[F]]:
        """Tell ``recipients``, an iterable of any length that is read once, each in the words of ``template``.

        Up to 1,000 people go inside the request; more are streamed in parts of 10,000 and the session starts when
        all of them are there. Under an ``idempotency_key`` of your own, the same call again returns the session
        that exists (``replayed``), or goes on with an upload that broke off.
        """
        rows, part = Rows(recipients), Part(INLINE_ROWS, INLINE_BYTES)
        key = idempotency_key or fresh_key()
        if (yield from fill(part, rows)):
            return (yield from self._created(template, {"recipients": part.array()}, key, options))
        session = yield from self._created(template, {"upload": True}, key, options)
        if session.view.state != "staging":
            return session
        part.widen()
        try:
            parts, people = yield from self._uploaded(session.id, part, rows)
        except Exception:
            if idempotency_key is None:
                yield from self._control(session.id, "cancel")
            raise
        session.view = yield from self._started(session.id, parts=parts, recipients=people)
        return session

    @operation
    def create(
        self, template: str, *, idempotency_key: str | None = None, **options: Unpack[SessionOptions]
    ) -> Plan[Session[F]]:
        """Create a session whose audience is uploaded with :meth:`put_part`; nothing is sent before :meth:`start`."""
        key = idempotency_key or fresh_key()
        return (yield from self._created(template, {"upload": True}, key, options))

    @operation
    def check(
        self, template: str, *, recipients: Iterable[Person], **options: Unpack[SessionOptions]
    ) -> Plan[CheckView]:
        """Say what sending would say, with up to ten people as they would be told; send and store nothing."""
        part = Part(rows=1_000_000)
        for row in recipients:
            part.put(row)
        body = body_of(options, template=template, audience={"recipients": part.array()})
        return (yield from self._call(CheckView, posted(at("sessions", "check"), body), repeatable=True))

    @operation
    def put_part(
        self,
        id: str,
        number: int,
        body: bytes,
        *,
        content_type: str = NDJSON,
        delimiter: str | None = None,
        line_offset: int = 0,
    ) -> Plan[PartView]:
        """Store part ``number`` of an audience, whole or not at all; the same number again replaces it.

        ``line_offset`` lines of the whole file stand before this part: people then have the file's lines.
        """
        return (
            yield from self._put(
                id, number, body, content_type=content_type, delimiter=delimiter, line_offset=line_offset
            )
        )

    @operation
    def parts(self, id: str) -> Plan[list[PartView]]:
        """Return the parts that are there."""
        page = yield from self._call(Page[PartView], Request(method="GET", path=at("sessions", id, "parts")))
        return page.items

    @operation
    def start(self, id: str, *, parts: int, recipients: int) -> Plan[Session[F]]:
        """Start a session, if what the server has is what you counted."""
        return Session(self._face, (yield from self._started(id, parts=parts, recipients=recipients)))

    @operation
    def get(self, id: str) -> Plan[Session[F]]:
        """Return one session."""
        return Session(self._face, (yield from self._look(id)))

    @stream
    def list(self, *, state: str | None = None, limit: int = 50) -> Course[SessionView]:
        """Give all sessions, newest first, ``limit`` a page."""
        yield from self._pages(SessionView, at("sessions"), {"state": state, "limit": limit})

    @operation
    def pause(self, id: str, reason: str | None = None) -> Plan[SessionView]:
        """Stop at the next message; what has left can't be stopped."""
        return (yield from self._control(id, "pause", {"reason": reason} if reason else None))

    @operation
    def resume(self, id: str) -> Plan[SessionView]:
        """Go on after a pause."""
        return (yield from self._control(id, "resume"))

    @operation
    def cancel(self, id: str) -> Plan[SessionView]:
        """Give up everybody who has not been told."""
        return (yield from self._control(id, "cancel"))

    @operation
    def redrive(self, id: str, **which: Unpack[RedriveOptions]) -> Plan[SessionView]:
        """Run people again who were not told: all whose reason is retryable, or those that ``which`` names."""
        return (yield from self._redriven(id, which))

    @stream
    def recipients(self, id: str, **filters: Unpack[PeopleFilters]) -> Course[RecipientView]:
        """Give a session's people, in file order."""
        yield from self._people(id, filters)

    @stream
    def batches(self, id: str, **filters: Unpack[BatchFilters]) -> Course[BatchView]:
        """Give a session's batches, in file order."""
        yield from self._batches(id, filters)

    @stream
    def events(self, id: str, *, after: str = "") -> Course[Event]:
        """Give a session's events from one connection, those after ``after``; :meth:`watch` bridges breaks."""
        yield from self._heard(id, after)

    @stream
    def watch(self, id: str) -> Course[SessionView]:
        """Give a session whenever it has changed, until it is finished; breaks of the connection are bridged."""
        yield from self._followed(id)

    def _created(self, template: str, audience: dict[str, Any], key: str, options: SessionOptions) -> Plan[Session[F]]:
        """Create a session under ``key``. A replayed answer is as old as the session: then it is looked at again."""
        body = body_of(options, template=template, audience=audience)
        reply = yield from self._reply(posted(at("sessions"), body, key=key))
        view = read(reply, SessionView)
        replayed = reply.headers.get("idempotent-replayed") == "true"
        return Session(self._face, (yield from self._look(view.id)) if replayed else view, replayed=replayed)
