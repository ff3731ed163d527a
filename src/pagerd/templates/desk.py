"""Templates as askers see them: times in RFC 3339, pages with cursors, nothing of another workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from pagerd.core.policy import Channel
from pagerd.core.requests import Asker
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import Page
from pagerd.render.preview import Preview
from pagerd.templates.library import Templates
from pagerd.templates.views import TemplateView, VersionView


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be shown: for whom (``data``), by which channel, in which locale; the draft unless ``version``."""

    data: dict[str, Any] = {}
    channel: Channel = Channel.EMAIL
    locale: str | None = None
    version: int | None = None


class TemplateDesk:
    """Translates askers to workspaces; decides nothing."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def save(self, asker: Asker, name: str, draft: TemplateDraft) -> dict[str, Any]:
        """Save a draft."""
        return _shown(await self._templates.save(asker.workspace, name, draft))

    async def publish(self, asker: Asker, name: str) -> dict[str, Any]:
        """Freeze the draft as the next version."""
        return _version(await self._templates.publish(asker.workspace, name))

    async def get(self, asker: Asker, name: str) -> dict[str, Any]:
        """Return a template with its draft."""
        return _shown(await self._templates.get(asker.workspace, name))

    async def page(self, asker: Asker, *, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        """Return templates in order of name."""
        found = await self._templates.page(asker.workspace, limit + 1, cursor or "")
        following = found[limit - 1].name if len(found) > limit else None
        return Page(items=[_shown(view) for view in found[:limit]], next_cursor=following)

    async def versions(self, asker: Asker, name: str) -> list[dict[str, Any]]:
        """Return the published versions, newest first."""
        return [_version(view) for view in await self._templates.versions(asker.workspace, name)]

    async def preview(self, asker: Asker, name: str, preview: Any) -> Preview:
        """Show every part as it would leave."""
        return await self._templates.preview(
            asker.workspace,
            name,
            preview.data,
            channel=preview.channel or Channel.EMAIL,
            locale=preview.locale,
            version=preview.version,
        )


def _shown(view: TemplateView) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(view.draft)
    return {
        "id": view.id,
        "name": view.name,
        "revision": view.revision,
        "published_version": view.published or None,
        "created_at": _instant(view.created_at),
        "updated_at": _instant(view.updated_at),
        **fields,
    }


def _version(view: VersionView) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(view.draft)
    return {"name": view.name, "version": view.version, "published_at": _instant(view.published_at), **fields}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
