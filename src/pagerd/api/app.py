"""The application: every route, behind one guard, with one way of saying no."""

from __future__ import annotations

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from pagerd.api import (
    access,
    api_keys,
    batches,
    docs,
    doors,
    events,
    health,
    later,
    messages,
    options,
    parts,
    problems,
    providers,
    recipients,
    sessions,
    stamps,
    templates,
)
from pagerd.api.heads import with_heads
from pagerd.api.stages import Stages
from pagerd.core.errors import PagerError


def build(stages: Stages, *, dev: bool, only_health: bool = False) -> Litestar:
    """Return the ASGI application over ``stages``; with ``dev`` the inbox's routes, too.

    ``only_health`` answers how the process is, and nothing else: for a worker.

    Raise :class:`~pagerd.core.errors.Misconfigured` for a route that does not declare who may come in.
    """
    routes = health.handlers(open_metrics=stages.settings.open_metrics)
    if not only_health:
        routes += _everything_else(stages, dev=dev)
    app = Litestar(
        [*options.handlers(routes), *routes],
        guards=[access.guard],
        before_send=[stamps.stamp],
        exception_handlers={
            PagerError: problems.refused,
            HTTPException: problems.framework,
            RecursionError: problems.too_deep,
            Exception: problems.unexpected,
        },
        state=State({"stages": stages}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    doors.check(app.routes)
    app.asgi_handler = with_heads(app.asgi_handler)
    return app


def _everything_else(stages: Stages, *, dev: bool) -> list[HTTPRouteHandler]:
    return [
        *sessions.HANDLERS,
        *parts.HANDLERS,
        *recipients.HANDLERS,
        *batches.HANDLERS,
        *messages.HANDLERS,
        *templates.HANDLERS,
        *providers.HANDLERS,
        *events.HANDLERS,
        *api_keys.HANDLERS,
        *docs.HANDLERS,
        *later.handlers(),
        *(stages.inbox_routes if dev else ()),
    ]
