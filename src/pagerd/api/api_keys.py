"""``/v1/api-keys``: who may ask at all."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api import access
from pagerd.api.answers import Reply, listed, shown
from pagerd.api.bodies import KeyBody
from pagerd.api.calls import Call, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.reading import read_once
from pagerd.api.times import epoch_of, instant, instant_or_none
from pagerd.core import ids
from pagerd.core.errors import Invalid
from pagerd.core.views import Page
from pagerd.guard.permissions import OF_A_KEY
from pagerd.ports.store import ApiKeyRow


class KeyShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API key. The ``key`` itself is there once, in the answer that issues it."""

    id: str
    name: str
    live: bool
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    key: str | msgspec.UnsetType = msgspec.UNSET


@get("/v1/api-keys", opt=needs("apikey.admin", Door(answer=Page[KeyShown])))
async def page(request: Call) -> Reply:
    """List all API keys, newest first, revoked and expired ones too."""
    rows = await stages_of(request).keys.list(request.user.workspace)
    return listed([_shown(row) for row in rows])


@post("/v1/api-keys", status_code=201, opt=needs("apikey.admin", Door(body=KeyBody, answer=KeyShown)))
async def issue(request: Call) -> Reply:
    """Issue an API key. It can't be shown again, and can do nothing that the key which asks for it can't.

    For the same reason an Idempotency-Key is refused: revoke a key whose answer was lost, and issue another one.
    """
    body, retry = await read_once(request, KeyBody)
    if retry is not None:
        words = "the answer holds a secret that is not kept, so it can't be given again: leave Idempotency-Key out"
        raise Invalid(words, code="idempotency_not_possible")
    scopes = sorted(OF_A_KEY) if body.scopes is None else body.scopes
    access.not_wider(request.user, scopes)
    keys = stages_of(request).keys
    text, row = await keys.issue(request.user.workspace, body.name, scopes, expires_at=epoch_of(body.expires_at))
    return shown(msgspec.structs.replace(_shown(row), key=text), 201)


@delete("/v1/api-keys/{key_id:str}", status_code=204, opt=needs("apikey.admin"))
async def revoke(request: Call, key_id: FromPath[str]) -> None:
    """Revoke an API key: within a second it opens nothing any more. Revoking a revoked one is 204."""
    await stages_of(request).keys.revoke(request.user.workspace, ids.read(ids.KEY, key_id))


def _shown(row: ApiKeyRow) -> KeyShown:
    return KeyShown(
        id=ids.written(ids.KEY, row.id),
        name=row.name,
        live=row.live,
        scopes=list(row.scopes),
        created_at=instant(row.created_at),
        expires_at=instant_or_none(row.expires_at),
        revoked_at=instant_or_none(row.revoked_at),
    )


HANDLERS: Final[list[HTTPRouteHandler]] = [page, issue, revoke]
