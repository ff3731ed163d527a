"""``/healthz``, ``/readyz`` and ``/metrics``: what machines ask."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from pagerd.api import access
from pagerd.api.answers import Reply, shown
from pagerd.api.calls import Call, stages_of
from pagerd.api.doors import Door, needs, public
from pagerd.core.errors import Refused

METRICS_MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


class CheckShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dependency. ``detail`` and ``remedy`` are for keys with the permission ``system.health``."""

    name: str
    ok: bool
    detail: str = ""
    remedy: str = ""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and each dependency by name."""

    ready: bool
    checks: list[CheckShown]


@get("/healthz", opt=public(Door(answer=Alive)))
async def alive() -> Reply:
    """Say that the process is alive. It looks at nothing else: a restart mends no database."""
    return shown(Alive())


@get("/readyz", opt=public(Door(answer=Readiness, also={503: "Something is not well."})))
async def ready(request: Call) -> Reply:
    """Say whether requests can be served: 503 with the names of what is not well."""
    checks = await stages_of(request).readiness()
    tell = await _may_know(request)
    seen = [
        CheckShown(name=one.name, ok=one.ok, detail=one.detail if tell else "", remedy=one.remedy if tell else "")
        for one in checks
    ]
    well = all(one.ok for one in seen)
    return shown(Readiness(ready=well, checks=seen), 200 if well else 503)


async def _may_know(call: Call) -> bool:
    """Tell whether the asker may read more than names: details speak of paths and hosts."""
    if not any(name == b"authorization" for name, _ in call.scope["headers"]):
        return False
    try:
        access.require(await access.identify(call, stages_of(call)), "system.health")
    except Refused:
        return False
    return True


async def _metrics(request: Call) -> Reply:
    """Give the process's numbers, in the text format of Prometheus. They name no person."""
    return Reply(body=stages_of(request).metrics(), media_type=METRICS_MEDIA)


def handlers(*, open_metrics: bool) -> list[HTTPRouteHandler]:
    """Return this file's handlers; metrics want a key unless the settings open them."""
    door = Door(answer=str, media="text/plain")
    opt = public(door) if open_metrics else needs("metrics.read", door)
    return [alive, ready, get("/metrics", opt=opt)(_metrics)]
