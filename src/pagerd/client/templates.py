"""Templates: drafts, published versions, previews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pagerd.client.calls import at, posted
from pagerd.client.face import F, Faced, operation, stream
from pagerd.client.steps import Course, Plan, Request
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import Page


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its draft, and the newest published version (0: none yet). ``revision`` grows with each save."""

    name: str
    draft: TemplateDraft
    published: int = 0
    revision: int = 0
    updated_at: str | float | None = None


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: what it says, for good."""

    name: str
    version: int
    draft: TemplateDraft
    published_at: str | float | None = None


class Templates(Faced[F]):
    """All templates of a workspace."""

    @operation
    def save(self, name: str, draft: TemplateDraft) -> Plan[TemplateView]:
        """Save a draft; mistakes come back with variant, part, line and column. Nothing is sent with a draft."""
        return (yield from self._call(TemplateView, posted(at("templates", name), draft, method="PUT")))

    @operation
    def publish(self, name: str) -> Plan[VersionView]:
        """Freeze the draft as the next version, which sessions use from now on; once is enough for the same draft."""
        return (yield from self._call(VersionView, posted(at("templates", name, "publish")), repeatable=True))

    @operation
    def get(self, name: str) -> Plan[TemplateView]:
        """Return a template with its draft."""
        return (yield from self._call(TemplateView, Request(method="GET", path=at("templates", name))))

    @operation
    def versions(self, name: str) -> Plan[list[VersionView]]:
        """Return the published versions, newest first."""
        return (
            yield from self._call(Page[VersionView], Request(method="GET", path=at("templates", name, "versions")))
        ).items

    @operation
    def preview(
        self,
        name: str,
        *,
        channel: str | None = None,
        locale: str | None = None,
        data: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> Plan[dict[str, Any]]:
        """Return every part as it would leave for a person with this ``data``; without ``version``, of the draft."""
        given = {"channel": channel, "locale": locale, "data": data, "version": version}
        body = {field: value for field, value in given.items() if value is not None}
        request = posted(at("templates", name, "preview"), body)
        return (yield from self._call(dict[str, Any], request, repeatable=True))

    @stream
    def list(self, *, limit: int = 50) -> Course[TemplateView]:
        """Give all templates, ``limit`` a page."""
        yield from self._pages(TemplateView, at("templates"), {"limit": limit})
