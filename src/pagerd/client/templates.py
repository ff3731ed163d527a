"""Templates: drafts, published versions, previews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pagerd.client.calls import at, posted
from pagerd.client.face import F, Faced, operation, stream
from pagerd.client.sessioncalls import fresh_key
from pagerd.client.steps import Course, Plan, Request
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import Page


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its draft, and the newest published version (0 or ``None``: there is none)."""

    name: str
    draft: TemplateDraft | None = None
    published: int | None = None
    changed: bool | None = None
    updated_at: str | None = None


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A published version; it never changes."""

    name: str = ""
    version: int
    published_at: str | None = None


class Templates(Faced[F]):
    """All templates of a workspace."""

    @operation
    def save(self, name: str, draft: TemplateDraft) -> Plan[TemplateView]:
        """Save a draft; mistakes come back with variant, part, line and column. Nothing is sent with a draft."""
        return (yield from self._call(TemplateView, posted(at("templates", name), draft, method="PUT")))

    @operation
    def publish(self, name: str, *, idempotency_key: str | None = None) -> Plan[VersionView]:
        """Freeze the draft as the next version, which sessions use from now on."""
        request = posted(at("templates", name, "publish"), key=idempotency_key or fresh_key())
        return (yield from self._call(VersionView, request))

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
