"""``/v1/sessions/{id}/batches``: the units of processing and outcome."""

from __future__ import annotations

from typing import Final

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api.answers import Reply, shown
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import BatchesQuery, asked
from pagerd.core.views import BatchView, Page


@get(
    "/v1/sessions/{session_id:str}/batches",
    opt=needs("session.read", Door(query=BatchesQuery, answer=Page[BatchView])),
)
async def page(request: Call, session_id: FromPath[str]) -> Reply:
    """List a session's batches in file order; ``state`` chooses among them."""
    query = asked(request, BatchesQuery)
    accounts = stages_of(request).accounts
    return shown(
        await accounts.batches(asker(request), session_id, state=query.state, limit=query.limit, cursor=query.cursor)
    )


HANDLERS: Final[list[HTTPRouteHandler]] = [page]
