"""``/v1/captured``: the captured mails and short messages for tools: a test that waits for a login code.

Development only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from pagerd.core.errors import Fault, Invalid, Missing
from pagerd.core.policy import Channel
from pagerd.ports.mailbox import Attachment, Captured, Mailbox, Summary
from pagerd.web.gates import Gate

MOST: Final = 500


class CapturedMail(msgspec.Struct, kw_only=True):
    """A captured mail in a list: the envelope's ``sender`` and ``to``, the headers' ``from`` and ``subject``.

    ``channel`` tells an SMS, whose ``subject`` is the beginning of its text.
    """

    id: str
    channel: Channel
    received_at: datetime
    sender: str
    to: tuple[str, ...]
    author: str = msgspec.field(name="from")
    subject: str
    message_id: str
    size: int


class Header(msgspec.Struct, kw_only=True):
    """One header of a mail, decoded."""

    name: str
    value: str


class CapturedMailInFull(CapturedMail, kw_only=True):
    """A captured mail with all that could be read of it; bytes of ``source`` that are not UTF-8 are replaced.

    An SMS has the ``encoding`` that it travels in and its number of ``segments``.
    """

    headers: list[Header]
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    problems: tuple[str, ...]
    encoding: str | None
    segments: int | None
    source: str


class CapturedMails(msgspec.Struct, kw_only=True):
    """A page of captured mails, newest first."""

    items: list[CapturedMail]
    next_cursor: str | None


def routes(mailbox: Mailbox, gate: Gate) -> list[HTTPRouteHandler]:
    """Return the routes of ``/v1/captured``."""

    @get("/v1/captured", opt={"permission": "dev.inbox"}, guards=[gate], tags=["development"])
    async def list_captured(
        limit: FromQuery[int] = 50, cursor: FromQuery[str | None] = None, to: FromQuery[str] = ""
    ) -> CapturedMails:
        """List captured mails, newest first; `to` is a recipient's address."""
        if not 1 <= limit <= MOST:
            raise _wrong("limit_out_of_range", f"limit is a number from 1 to {MOST}")
        try:
            found = await mailbox.page(limit + 1, cursor, to=to)
        except Missing:
            raise _wrong("cursor_invalid", "cursor is a next_cursor of this list") from None
        items = [CapturedMail(**_facts(summary)) for summary in found[:limit]]
        return CapturedMails(items=items, next_cursor=items[-1].id if len(found) > limit else None)

    @get("/v1/captured/{id:str}", opt={"permission": "dev.inbox"}, guards=[gate], tags=["development"])
    async def get_captured(id: FromPath[str]) -> CapturedMailInFull:
        """Return one captured mail with its headers, text, HTML and source."""
        captured = await mailbox.get(id)
        if captured is None:
            raise Missing("There is no such captured mail (any more)")
        return _in_full(captured)

    return [list_captured, get_captured]


def _in_full(captured: Captured) -> CapturedMailInFull:
    return CapturedMailInFull(
        **_facts(captured.summary),
        headers=[Header(name=name, value=value) for name, value in captured.headers],
        text=captured.text,
        html=captured.html,
        attachments=captured.attachments,
        problems=captured.problems,
        encoding=captured.encoding,
        segments=captured.segments,
        source=captured.source.decode("utf-8", "replace"),
    )


def _wrong(code: str, detail: str) -> Invalid:
    return Invalid(faults=[Fault(code=code, detail=detail)])


def _facts(summary: Summary) -> dict[str, Any]:
    facts = msgspec.structs.asdict(summary)
    facts["to"] = facts.pop("recipients")
    facts["received_at"] = datetime.fromtimestamp(summary.received_at, UTC)
    return facts
