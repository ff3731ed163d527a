"""``/v1/messages``: one person, at once."""

from __future__ import annotations

from typing import Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api import translate
from pagerd.api.answers import Reply, given, shown
from pagerd.api.bodies import MessageBody
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import MessageQuery, asked
from pagerd.api.reading import read_once
from pagerd.core.views import RecipientView, TimelineView


@post(
    "/v1/messages",
    status_code=202,
    opt=needs("session.create", Door(body=MessageBody, answer=RecipientView, idempotent=True)),
)
async def create(request: Call) -> Reply:
    """Tell one person, urgently.

    With the answer the message is durable. It shows the recipient, whose ``id`` asks for the outcome.
    """
    body, retry = await read_once(request, MessageBody)
    admission = stages_of(request).admission
    return given(await admission.admit_message(asker(request), translate.message_request(body), retry))


@get(
    "/v1/messages/{message_id:str}",
    opt=needs("recipient.read_masked", Door(query=MessageQuery, answer=TimelineView)),
)
async def one(request: Call, message_id: FromPath[str]) -> Reply:
    """Show a message's outcome; with ``wait`` as soon as there is one, or as it stands after so many seconds."""
    query = asked(request, MessageQuery)
    accounts = stages_of(request).accounts
    if query.wait > 0:
        return shown(await accounts.settled(asker(request), message_id, query.wait))
    return shown(await accounts.recipient(asker(request), message_id))


HANDLERS: Final[list[HTTPRouteHandler]] = [create, one]
