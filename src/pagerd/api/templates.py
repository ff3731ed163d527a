"""``/v1/templates``: drafts, published versions, previews."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api.answers import Reply, listed, shown
from pagerd.api.bodies import Nothing, PreviewBody, TemplateBody
from pagerd.api.calls import Call, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import PageQuery, asked
from pagerd.api.reading import headers, read, read_or_default
from pagerd.api.refusals import Stale
from pagerd.api.times import instant
from pagerd.core.errors import Conflict, Malformed
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import Page
from pagerd.render.preview import Preview
from pagerd.templates.views import TemplateView, VersionView

_TAG: Final = re.compile(rb'"([0-9]{1,9})"')


class TemplateShown(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its draft, and the newest published version (0: none yet).

    ``revision`` grows with each save. It is also the ETag: sent back as ``If-Match`` with the next save, nobody's
    work is overwritten unseen.
    """

    id: str
    name: str
    revision: int
    published: int
    created_at: str
    updated_at: str
    draft: TemplateDraft


class VersionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: what it says, for good."""

    name: str
    version: int
    published_at: str
    draft: TemplateDraft


@put(
    "/v1/templates/{name:str}",
    status_code=200,
    opt=needs("template.write", Door(body=TemplateBody, answer=TemplateShown, tagged=True)),
)
async def save(request: Call, name: FromPath[str]) -> Reply:
    """Save a draft.

    Mistakes come back with variant, part, line and column; nothing is sent with a draft until it is published.
    ``If-Match`` refuses to overwrite another revision (412), ``If-None-Match: *`` to overwrite any.
    """
    expected = _expected(request)
    body = await read(request, TemplateBody)
    try:
        view = await stages_of(request).templates.save(request.user.workspace, name, body, expected=expected)
    except Conflict as error:
        if error.code == "stale_revision":
            raise Stale(error.detail) from error
        raise
    return _tagged(view)


@get("/v1/templates/{name:str}", opt=needs("template.read", Door(answer=TemplateShown)))
async def one(request: Call, name: FromPath[str]) -> Reply:
    """Show a template with its draft."""
    return _tagged(await stages_of(request).templates.get(request.user.workspace, name))


@get("/v1/templates", opt=needs("template.read", Door(query=PageQuery, answer=Page[TemplateShown])))
async def page(request: Call) -> Reply:
    """List templates, in order of name."""
    query = asked(request, PageQuery)
    templates = stages_of(request).templates
    found = await templates.page(request.user.workspace, query.limit + 1, query.cursor or "")
    items = [_template(view) for view in found[: query.limit]]
    return shown(Page(items=items, next_cursor=items[-1].name if len(found) > query.limit else None))


@post(
    "/v1/templates/{name:str}/publish",
    status_code=200,
    opt=needs("template.publish", Door(body=Nothing, answer=VersionShown, changes=True)),
)
async def publish(request: Call, name: FromPath[str]) -> Reply:
    """Freeze the draft as the next version, which sessions use from now on; once is enough for the same draft."""
    await read_or_default(request, Nothing)
    return shown(_version(await stages_of(request).templates.publish(request.user.workspace, name)))


@get("/v1/templates/{name:str}/versions", opt=needs("template.read", Door(answer=Page[VersionShown])))
async def versions(request: Call, name: FromPath[str]) -> Reply:
    """List a template's published versions, newest first."""
    found = await stages_of(request).templates.versions(request.user.workspace, name)
    return listed([_version(view) for view in found])


@post(
    "/v1/templates/{name:str}/preview",
    status_code=200,
    opt=needs("template.preview", Door(body=PreviewBody, answer=Preview)),
)
async def preview(request: Call, name: FromPath[str]) -> Reply:
    """Show every part as it would leave for a person with this ``data``; without ``version``, of the draft."""
    body = await read_or_default(request, PreviewBody)
    templates = stages_of(request).templates
    parts = await templates.preview(
        request.user.workspace,
        name,
        body.data or {},
        channel=body.channel or Channel.EMAIL,
        locale=body.locale,
        version=body.version,
    )
    return shown(parts)


def _expected(call: Call) -> int | None:
    """Return the revision that the asker saw: 0 for none, ``None`` if they don't say (RFC 9110, section 13.1)."""
    sent = headers(call)
    match, none_match = sent.get(b"if-match"), sent.get(b"if-none-match")
    if match is None and none_match is None:
        return None
    if match is None and none_match == b"*":
        return 0
    tag = _TAG.fullmatch(match.strip()) if match is not None and none_match is None else None
    if tag is None:
        raise Malformed('It is If-Match with one revision, as in "3", or If-None-Match: *.', code="invalid_if_match")
    return int(tag[1])


def _tagged(view: TemplateView) -> Reply:
    return shown(_template(view), headers={"etag": f'"{view.revision}"'})


def _template(view: TemplateView) -> TemplateShown:
    return TemplateShown(
        id=view.id,
        name=view.name,
        revision=view.revision,
        published=view.published,
        created_at=instant(view.created_at),
        updated_at=instant(view.updated_at),
        draft=view.draft,
    )


def _version(view: VersionView) -> VersionShown:
    return VersionShown(name=view.name, version=view.version, published_at=instant(view.published_at), draft=view.draft)


HANDLERS: Final[list[HTTPRouteHandler]] = [save, one, page, publish, versions, preview]
