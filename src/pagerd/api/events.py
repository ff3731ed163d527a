"""``/v1/sessions/{id}/events``: a session's progress as it happens (server-sent events, WHATWG HTML section 9.2).

An event is a session's view, sent when something in it has changed, at most four a second; its id is a digest of
the view, so that whoever comes back with ``Last-Event-ID`` hears nothing twice and misses nothing that still holds.
The last event is ``finished``; who has heard it and comes back is answered 204, which tells browsers to stay away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from typing import Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse

from pagerd.api import access
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.reading import headers
from pagerd.api.stages import Pulse
from pagerd.core.errors import PagerError
from pagerd.core.views import SessionView

MEDIA: Final = "text/event-stream"

Look = Callable[[], Awaitable[SessionView]]


@get(
    "/v1/sessions/{session_id:str}/events",
    opt=needs("session.read", Door(answer=SessionView, media=MEDIA)),
)
async def watch(request: Call, session_id: FromPath[str]) -> ASGIResponse:
    """Follow a session: an event with its view whenever it has changed, and ``finished`` as the last one."""
    stages = stages_of(request)
    who = asker(request)

    async def look() -> SessionView:
        return await stages.accounts.session(who, session_id)

    async def still_welcome() -> None:
        access.require(await access.identify(request, stages), "session.read")

    view = await look()
    heard = headers(request).get(b"last-event-id", b"").decode("latin-1")
    if view.over and heard == mark_of(view):
        return ASGIResponse(status_code=204)
    frames = following(view, heard, look, still_welcome, stages.settings.pulse)
    return ASGIStreamingResponse(iterator=frames, media_type=MEDIA, headers={"x-accel-buffering": "no"})


async def following(
    view: SessionView, heard: str, look: Look, still_welcome: Callable[[], Awaitable[None]], pulse: Pulse
) -> AsyncIterator[bytes]:
    """Yield the events of a session that looked like ``view``, for someone who ``heard`` an event last.

    Ends after the final event, when the server stops, when the key is no longer welcome, and when the session can't
    be read: whoever still wants to know comes back and is told why by the status of the answer.
    """
    spoke = pulse.monotonic()
    wait = pulse.interval
    try:
        while True:
            mark = mark_of(view)
            if mark != heard:
                yield _event(view, mark)
                heard, spoke, wait = mark, pulse.monotonic(), pulse.interval
            elif pulse.monotonic() - spoke >= pulse.heartbeat:
                await still_welcome()
                yield b":\n\n"
                spoke = pulse.monotonic()
            if view.over or pulse.stopping():
                return
            await pulse.sleep(wait)
            wait = min(wait * 2, pulse.idle)
            view = await look()
    except PagerError:
        return


def mark_of(view: SessionView) -> str:
    """Return the id of the event that shows ``view``: the estimates, which move by themselves, apart."""
    still = msgspec.structs.replace(view, rate_per_second=None, estimated_finish_at=None)
    return blake2b(msgspec.json.encode(still), digest_size=9).hexdigest()


def _event(view: SessionView, mark: str) -> bytes:
    kind = "finished" if view.over else "progress"
    return f"id: {mark}\nevent: {kind}\ndata: ".encode() + msgspec.json.encode(view) + b"\n\n"


HANDLERS: Final[list[HTTPRouteHandler]] = [watch]
