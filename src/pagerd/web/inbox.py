"""The ``/inbox`` page of ``pagerd dev``: what the capture server has taken, live.

::

    GET  /inbox              the list, with search; refreshes itself when mail arrives
    GET  /inbox/events       server-sent events: how many there are, at most two a second
    GET  /inbox/{id}         one mail: HTML, text, headers, source; or one SMS: number, text, segments
    GET  /inbox/{id}/html    its HTML alone, for a frame in which it can do nothing
    GET  /inbox/{id}/source  its bytes, to be saved as a file
    POST /inbox/clear        forget them all (same origin only)
    GET  /v1/captured, /v1/captured/{id}    the same for tools

Mails are shown as hostile as they come: every word escaped, HTML in a sandbox without script, network or origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, ServerSentEvent, ServerSentEventMessage

from pagerd.core.errors import Missing
from pagerd.core.policy import Channel
from pagerd.ports.mailbox import Captured, Mailbox
from pagerd.web import answers, captured
from pagerd.web.gates import LOOPBACK, named, same_origin
from pagerd.web.links import links

PAGE: Final = 50
PAUSE: Final = 0.5
"""Seconds between two events."""

BEAT: Final = 20.0
"""Seconds after which a silent stream says that it is still there."""

SHOWN: Final = 256 * 1024
"""Octets of source that a page shows; the rest is for the download."""

_OURS: Final[dict[str, Any]] = {"public": True}

View = Literal["html", "text", "headers", "source"]


def routes(
    mailbox: Mailbox, *, hosts: Collection[str] = LOOPBACK, smtp: str = "", sms: str = ""
) -> list[HTTPRouteHandler]:
    """Return the routes of the inbox over ``mailbox``.

    ``hosts`` are the names under which a browser may ask for them; ``smtp`` and ``sms`` (``HOST:PORT``) are where
    the capture servers listen, for an empty page to tell.
    """
    gate = named(hosts)

    @get("/inbox", opt=_OURS, guards=[gate], include_in_schema=False)
    async def inbox(q: FromQuery[str] = "", before: FromQuery[str | None] = None) -> Response[str]:
        """Show the list."""
        revision = mailbox.revision
        try:
            mails = await mailbox.page(PAGE + 1, before, q)
        except Missing:
            return _gone()
        older = mails[PAGE - 1].id if len(mails) > PAGE else None
        facts = {"mails": mails[:PAGE], "older": older, "q": q, "before": before, "smtp": smtp, "sms": sms}
        return answers.page("inbox", {**facts, "count": mailbox.count, "revision": revision})

    @get("/inbox/events", opt=_OURS, guards=[gate], include_in_schema=False)
    async def inbox_events() -> ServerSentEvent:
        """Tell of changes as they happen."""
        return ServerSentEvent(events(mailbox))

    @get("/inbox/{id:str}", opt=_OURS, guards=[gate], include_in_schema=False)
    async def inbox_mail(id: FromPath[str], view: FromQuery[View | None] = None) -> Response[str]:
        """Show one mail."""
        mail = await mailbox.get(id)
        return _gone() if mail is None else _mail(mail, view)

    @get("/inbox/{id:str}/html", opt=_OURS, guards=[gate], include_in_schema=False)
    async def inbox_html(id: FromPath[str]) -> Response[str]:
        """Return a mail's HTML for the frame."""
        mail = await mailbox.get(id)
        return _gone() if mail is None or mail.html is None else answers.foreign_html(mail.html)

    @get("/inbox/{id:str}/source", opt=_OURS, guards=[gate], include_in_schema=False)
    async def inbox_source(id: FromPath[str]) -> Response[bytes] | Response[str]:
        """Return a mail's bytes as they came."""
        mail = await mailbox.get(id)
        if mail is None:
            return _gone()
        if mail.summary.channel is Channel.SMS:
            return answers.download(mail.source, f"{mail.summary.id}.txt", "text/plain")
        return answers.download(mail.source, f"{mail.summary.id}.eml", "message/rfc822")

    @post("/inbox/clear", opt=_OURS, guards=[gate, same_origin], include_in_schema=False)
    async def inbox_clear() -> Redirect:
        """Forget every mail."""
        await mailbox.clear()
        return Redirect("/inbox", status_code=303)

    pages = [inbox, inbox_events, inbox_mail, inbox_html, inbox_source, inbox_clear, answers.asset]
    return [*pages, *captured.routes(mailbox, gate)]


async def events(
    mailbox: Mailbox, *, pause: float = PAUSE, beat: float = BEAT
) -> AsyncIterator[ServerSentEventMessage]:
    """Yield the state of the mailbox now and after each change, until it closes; never closer than ``pause``."""
    seen = mailbox.revision
    while True:
        state = {"count": mailbox.count, "revision": seen}
        yield ServerSentEventMessage(event="changed", data=msgspec.json.encode(state))
        await asyncio.sleep(pause)
        revision = None
        while revision is None:
            try:
                async with asyncio.timeout(beat):
                    revision = await mailbox.changed(seen)
            except TimeoutError:
                yield ServerSentEventMessage(comment="still here", data=None)
            else:
                if revision is None:
                    return
        seen = revision


def _mail(mail: Captured, view: View | None) -> Response[str]:
    if mail.summary.channel is Channel.SMS:
        return answers.page("sms", {"sms": mail, "summary": mail.summary})
    if view is None:
        view = "html" if mail.html is not None else "text" if mail.text is not None else "source"
    facts = {
        "mail": mail,
        "summary": mail.summary,
        "view": view,
        "links": links(mail.html or "") if view == "html" else [],
        "source": mail.source[:SHOWN].decode("utf-8", "replace") if view == "source" else "",
        "cut": len(mail.source) > SHOWN,
    }
    return answers.page("mail", facts)


def _gone() -> Response[str]:
    return answers.page("gone", {}, status=404)
