"""``/v1/sessions``: admit, check, look, and what an operator does."""

from __future__ import annotations

from typing import Final

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api import access, translate
from pagerd.api.answers import Reply, given, shown
from pagerd.api.bodies import Nothing, ReasonBody, RedriveBody, SessionBody
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import SessionsQuery, asked
from pagerd.api.reading import read, read_once, read_or_default
from pagerd.core.views import CheckView, Page, SessionView

_CHANGE: Final = Door(body=Nothing, answer=SessionView, changes=True)
_HELD: Final = "delivery.redrive_unknown"


@post(
    "/v1/sessions",
    status_code=202,
    opt=needs("session.create", Door(body=SessionBody, answer=SessionView, idempotent=True)),
)
async def create(request: Call) -> Reply:
    """Tell an audience.

    Admission is all or nothing: with the answer the session is durable, and the same Idempotency-Key with the same
    body gets the same answer again. With ``audience.upload`` the people follow in parts.
    """
    body, retry = await read_once(request, SessionBody)
    admission = stages_of(request).admission
    return given(await admission.admit(asker(request), translate.session_request(body), retry))


@post("/v1/sessions/check", status_code=200, opt=needs("session.create", Door(body=SessionBody, answer=CheckView)))
async def check(request: Call) -> Reply:
    """Check a request for a session, without sending or storing anything.

    Answers how many could be told, everything that is wrong, and up to ten people as they would be told.
    """
    body = await read(request, SessionBody)
    return shown(await stages_of(request).admission.check(asker(request), translate.session_request(body)))


@get("/v1/sessions", opt=needs("session.read", Door(query=SessionsQuery, answer=Page[SessionView])))
async def page(request: Call) -> Reply:
    """List sessions, newest first."""
    query = asked(request, SessionsQuery)
    accounts = stages_of(request).accounts
    return shown(await accounts.sessions(asker(request), limit=query.limit, cursor=query.cursor, state=query.state))


@get("/v1/sessions/{session_id:str}", opt=needs("session.read", Door(answer=SessionView)))
async def one(request: Call, session_id: FromPath[str]) -> Reply:
    """Show a session with its balance: told + withheld + not_told + in_doubt + to_go = total."""
    return shown(await stages_of(request).accounts.session(asker(request), session_id))


@post(
    "/v1/sessions/{session_id:str}/pause",
    status_code=200,
    opt=needs("session.pause", Door(body=ReasonBody, answer=SessionView, changes=True)),
)
async def pause(request: Call, session_id: FromPath[str]) -> Reply:
    """Pause a session: nothing more of it starts to leave. Pausing a paused one is 200."""
    body = await read_or_default(request, ReasonBody)
    return shown(await stages_of(request).control.pause(asker(request), session_id, body.reason))


@post("/v1/sessions/{session_id:str}/resume", status_code=200, opt=needs("session.pause", _CHANGE))
async def resume(request: Call, session_id: FromPath[str]) -> Reply:
    """Let a paused session go on. Resuming a running one is 200."""
    await read_or_default(request, Nothing)
    return shown(await stages_of(request).control.resume(asker(request), session_id))


@post("/v1/sessions/{session_id:str}/cancel", status_code=200, opt=needs("session.cancel", _CHANGE))
async def cancel(request: Call, session_id: FromPath[str]) -> Reply:
    """Give up everybody of a session who has not been sent to. Cancelling a cancelled one is 200."""
    await read_or_default(request, Nothing)
    return shown(await stages_of(request).control.cancel(asker(request), session_id))


@post(
    "/v1/sessions/{session_id:str}/redrive",
    status_code=200,
    opt=needs("delivery.redrive", Door(body=RedriveBody, answer=SessionView, changes=True)),
)
async def redrive(request: Call, session_id: FromPath[str]) -> Reply:
    """Run people of a session again: all whose reason is retryable, or those that ``where`` names.

    Who is permanently refused, suppressed or unknown needs ``force`` (or ``where.state`` ``unknown``) and the
    permission ``delivery.redrive_unknown``: they may be told twice, or against their will.
    """
    body = await read_or_default(request, RedriveBody)
    wish = translate.redrive(body)
    if wish.force or wish.state in ("unknown", "suppressed"):
        access.also(request, _HELD)
    return shown(await stages_of(request).control.redrive(asker(request), session_id, wish))


HANDLERS: Final[list[HTTPRouteHandler]] = [create, check, page, one, pause, resume, cancel, redrive]
