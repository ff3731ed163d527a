"""What the room shows of templates: whole, as versions, and pinned for a session."""

from __future__ import annotations

import msgspec

from pagerd.core.ids import TEMPLATE, written
from pagerd.core.templates import TemplateDraft
from pagerd.ports.store import TemplateRow, VersionRow
from pagerd.render.compiled import CompiledTemplate


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its draft, and the newest published version (0: none yet). Times are UTC epoch seconds.

    ``revision`` grows with each save; who sends it back with the next one can't overwrite what they have not seen.
    """

    id: str
    name: str
    revision: int
    published: int
    created_at: float
    updated_at: float
    draft: TemplateDraft


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: what it says, for good."""

    name: str
    version: int
    published_at: float
    draft: TemplateDraft


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """A version that a session is to be told with, compiled."""

    name: str
    version: int
    compiled: CompiledTemplate


def template_view(row: TemplateRow, draft: TemplateDraft) -> TemplateView:
    """Return a stored template with its opened draft."""
    return TemplateView(
        id=written(TEMPLATE, row.id),
        name=row.name,
        revision=row.revision,
        published=row.published,
        created_at=row.created_at,
        updated_at=row.updated_at,
        draft=draft,
    )


def version_view(row: VersionRow, draft: TemplateDraft) -> VersionView:
    """Return a stored version with its opened body."""
    return VersionView(name=row.name, version=row.version, published_at=row.published_at, draft=draft)
