"""``/v1/recipients`` and ``/v1/sessions/{id}/recipients``: who was told, and why somebody was not."""

from __future__ import annotations

from typing import Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api.answers import Reply, listed, shown
from pagerd.api.bodies import SearchBody
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import RecipientsQuery, asked
from pagerd.api.reading import read
from pagerd.api.times import epoch_of
from pagerd.core.views import Page, RecipientView, TimelineView


@get(
    "/v1/sessions/{session_id:str}/recipients",
    opt=needs("recipient.read_masked", Door(query=RecipientsQuery, answer=Page[RecipientView])),
)
async def page(request: Call, session_id: FromPath[str]) -> Reply:
    """List a session's people in file order; ``state``, ``reason`` (a class) and ``code`` choose among them."""
    query = asked(request, RecipientsQuery)
    people = await stages_of(request).accounts.recipients(
        asker(request),
        session_id,
        state=query.state,
        reason_class=query.reason,
        code=query.code,
        limit=query.limit,
        cursor=query.cursor,
    )
    return shown(people)


@get("/v1/recipients/{recipient_id:str}", opt=needs("recipient.read_masked", Door(answer=TimelineView)))
async def one(request: Call, recipient_id: FromPath[str]) -> Reply:
    """Show everything about one person in one session: each attempt, and the reason for every non-send."""
    return shown(await stages_of(request).accounts.recipient(asker(request), recipient_id))


@post(
    "/v1/recipients/search",
    status_code=200,
    opt=needs("recipient.read_masked", Door(body=SearchBody, answer=Page[TimelineView])),
)
async def search(request: Call) -> Reply:
    """Find everything about one address, over all sessions or in one, by the blind index."""
    body = await read(request, SearchBody)
    accounts = stages_of(request).accounts
    found = await accounts.search(asker(request), body.to, session=body.session, since=epoch_of(body.since))
    return listed(found)


HANDLERS: Final[list[HTTPRouteHandler]] = [page, one, search]
