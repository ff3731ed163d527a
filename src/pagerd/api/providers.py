"""``/v1/providers`` and ``/v1/provider-kinds``: which services carry messages."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api import access, translate
from pagerd.api.answers import Reply, listed, shown
from pagerd.api.bodies import Nothing, ProviderBody, ReasonBody
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.reading import read, read_or_default
from pagerd.core.views import Page, ProviderKindView, ProviderView


@get("/v1/provider-kinds", opt=needs("provider.read", Door(answer=Page[ProviderKindView])))
async def kinds(request: Call) -> Reply:
    """List the kinds of providers that there are, each with the JSON Schema of its settings."""
    return listed(stages_of(request).providers.kinds())


@get("/v1/providers", opt=needs("provider.read", Door(answer=Page[ProviderView])))
async def page(request: Call) -> Reply:
    """List all providers."""
    return listed(await stages_of(request).providers.all(asker(request)))


@get("/v1/providers/{name:str}", opt=needs("provider.read", Door(answer=ProviderView)))
async def one(request: Call, name: FromPath[str]) -> Reply:
    """Show a provider; of its credential only whether there is one."""
    return shown(await stages_of(request).providers.get(asker(request), name))


@put(
    "/v1/providers/{name:str}",
    status_code=200,
    opt=needs("provider.write", Door(body=ProviderBody, answer=ProviderView, changes=True)),
)
async def save(request: Call, name: FromPath[str]) -> Reply:
    """Create or replace a provider. A ``credential`` needs the permission ``credential.write`` and is never shown."""
    body = await read(request, ProviderBody)
    if body.credential is not msgspec.UNSET:
        access.also(request, "credential.write")
    return shown(await stages_of(request).providers.put(asker(request), name, translate.provider_draft(body)))


@post(
    "/v1/providers/{name:str}/test",
    status_code=200,
    opt=needs("provider.test", Door(body=Nothing, answer=ProviderView)),
)
async def test(request: Call, name: FromPath[str]) -> Reply:
    """Try a provider's connection and credential; ``health`` says how it went."""
    await read_or_default(request, Nothing)
    return shown(await stages_of(request).providers.test(asker(request), name))


@post(
    "/v1/providers/{name:str}/pause",
    status_code=200,
    opt=needs("provider.write", Door(body=ReasonBody, answer=ProviderView, changes=True)),
)
async def pause(request: Call, name: FromPath[str]) -> Reply:
    """Send nothing more by a provider. Pausing a paused one is 200."""
    body = await read_or_default(request, ReasonBody)
    return shown(await stages_of(request).providers.pause(asker(request), name, body.reason))


@post(
    "/v1/providers/{name:str}/resume",
    status_code=200,
    opt=needs("provider.write", Door(body=Nothing, answer=ProviderView, changes=True)),
)
async def resume(request: Call, name: FromPath[str]) -> Reply:
    """Use a paused provider again. Resuming one that is not paused is 200."""
    await read_or_default(request, Nothing)
    return shown(await stages_of(request).providers.resume(asker(request), name))


HANDLERS: Final[list[HTTPRouteHandler]] = [kinds, page, one, save, test, pause, resume]
