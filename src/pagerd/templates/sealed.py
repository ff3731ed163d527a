"""Drafts and versions as they sleep in the store: canonical JSON, sealed, each bound to its place."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from pagerd.core.templates import TemplateDraft
from pagerd.ports.store import TemplateRow, VersionRow

_DRAFT: Final = "template.draft"
_VERSION: Final = "template_version.body"
_DECODER: Final = msgspec.json.Decoder(TemplateDraft)


class Sealer(Protocol):
    """What seals a workspace's own things (:class:`pagerd.seal.workspace.WorkspaceSeal` is one)."""

    def seal(self, column: str, place: bytes, plain: bytes) -> bytes:
        """Return the blob that opens only for the same column and place."""
        ...

    def open(self, column: str, place: bytes, blob: bytes) -> bytes:
        """Return what was sealed; raise :class:`SealBroken` for anything else."""
        ...


class Sleeper:
    """Seals and opens drafts and versions; a blob moved to another template or version does not open."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal_draft(self, workspace: int, name: str, draft: TemplateDraft) -> bytes:
        """Return a draft, sealed."""
        return self._sealer.seal(_DRAFT, _place(workspace, name), canonical(draft))

    def draft(self, row: TemplateRow) -> TemplateDraft:
        """Return a template's draft."""
        return _read(self._sealer.open(_DRAFT, _place(row.workspace, row.name), row.draft))

    def seal_version(self, workspace: int, name: str, version: int, draft: TemplateDraft) -> bytes:
        """Return what is published as a version, sealed."""
        return self._sealer.seal(_VERSION, _place(workspace, name, version), canonical(draft))

    def version(self, row: VersionRow) -> TemplateDraft:
        """Return what was published as a version."""
        return _read(self._sealer.open(_VERSION, _place(row.workspace, row.name, row.version), row.body))


def canonical(draft: TemplateDraft) -> bytes:
    """Return the bytes that are equal for equal drafts, and only for them."""
    return msgspec.json.encode(draft, order="sorted")


def _read(plain: bytes) -> TemplateDraft:
    """Return the draft that :func:`canonical` wrote."""
    return _DECODER.decode(plain)


def _place(workspace: int, name: str, version: int = 0) -> bytes:
    """Return what a blob is bound to: workspace and version of fixed length, then the name."""
    return workspace.to_bytes(8, "big") + version.to_bytes(4, "big") + name.encode()
