"""The verbs of the room: save a draft, publish it, find it again, pin a version for a session."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, Final

import msgspec

from pagerd.core.errors import Conflict, Missing, SealBroken
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft
from pagerd.ports.cache import Cache
from pagerd.ports.store import Store, TemplateRow, VersionRow, Work
from pagerd.ports.time import Chance, Clock
from pagerd.render.compile import compile_template
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.preview import Preview, preview
from pagerd.templates.cache import CompiledCache, Key, VersionShelf
from pagerd.templates.names import check_name, read_reference, unknown, unknown_reference, unpinnable
from pagerd.templates.sealed import Sealer, Sleeper, canonical
from pagerd.templates.views import Pinned, TemplateView, VersionView, template_view, version_view

_CACHED: Final = 256


class Templates:
    """Templates and their versions, over the store. Every verb takes the workspace first."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        clock: Clock,
        chance: Chance,
        *,
        cached: int = _CACHED,
        shared: Cache | None = None,
    ) -> None:
        """Keep ``cached`` compiled versions here, and published ones, sealed, in ``shared`` for all processes."""
        self._store = store
        self._sleeper = Sleeper(sealer)
        self._clock = clock
        self._chance = chance
        self._cache = CompiledCache(cached)
        self._shelf = VersionShelf(shared) if shared is not None else None

    async def save(
        self, workspace: int, name: str, draft: TemplateDraft, *, expected: int | None = None
    ) -> TemplateView:
        """Keep a draft that compiles, as a new revision; what is published stays.

        ``expected``: the revision that the author saw (0: none there). Raise :class:`Invalid` with every fault of the
        draft, and :class:`Conflict` (``stale_revision``) where somebody else saved in between.
        """
        check_name(name)
        compile_template(draft)
        now, id_ = self._clock.now(), self._chance.new_id()
        sealed = self._sleeper.seal_draft(workspace, name, draft)

        def change(work: Work) -> TemplateRow:
            old = work.templates.get(workspace, name)
            revision = 0 if old is None else old.revision
            if expected is not None and expected != revision:
                raise Conflict(f"{name} is at revision {revision}, not {expected}", code="stale_revision")
            row = TemplateRow(
                id=id_ if old is None else old.id,
                workspace=workspace,
                name=name,
                draft=sealed,
                published=0 if old is None else old.published,
                revision=revision + 1,
                created_at=now if old is None else old.created_at,
                updated_at=now,
            )
            work.templates.save(row)
            return row

        return template_view(await self._store.work(change), draft)

    async def publish(self, workspace: int, name: str) -> VersionView:
        """Freeze the draft as the next version and return it; a draft that is published already is not published again.

        Two at once get the same version. Raise :class:`Missing` (``template_unknown``), and :class:`Invalid` where the
        draft does not compile any more.
        """
        while True:
            seen = await self.get(workspace, name)
            compile_template(seen.draft)
            publish = partial(self._publish, workspace, name, seen.revision, self._clock.now())
            done = await self._store.work(publish)
            if done is not None:
                return version_view(done, self._sleeper.version(done))

    def _publish(self, workspace: int, name: str, revision: int, now: float, work: Work) -> VersionRow | None:
        """Publish a checked revision of the draft; ``None`` where another was saved since."""
        row = _row(work, workspace, name)
        if row.revision != revision:
            return None
        draft = self._sleeper.draft(row)
        newest = work.templates.version(workspace, name, row.published)
        if newest is not None and canonical(self._sleeper.version(newest)) == canonical(draft):
            return newest
        version = row.published + 1
        body = self._sleeper.seal_version(workspace, name, version, draft)
        made = VersionRow(workspace=workspace, name=name, version=version, body=body, published_at=now)
        work.templates.publish(made)
        work.templates.save(msgspec.structs.replace(row, published=version))
        return made

    async def get(self, workspace: int, name: str) -> TemplateView:
        """Return a template with its draft; raise :class:`Missing` (``template_unknown``) with the nearest name."""
        row = await self._store.read(lambda work: _row(work, workspace, name))
        return template_view(row, self._sleeper.draft(row))

    async def page(self, workspace: int, limit: int, after: str = "") -> list[TemplateView]:
        """Return templates in order of name, those after ``after``."""
        rows = await self._store.read(lambda work: work.templates.page(workspace, limit, after))
        return [template_view(row, self._sleeper.draft(row)) for row in rows]

    async def versions(self, workspace: int, name: str) -> list[VersionView]:
        """Return a template's versions, newest first; raise :class:`Missing` for an unknown template."""

        def look(work: Work) -> list[VersionRow]:
            _row(work, workspace, name)
            return work.templates.versions(workspace, name)

        return [version_view(row, self._sleeper.version(row)) for row in await self._store.read(look)]

    async def pinned(self, workspace: int, reference: str) -> Pinned:
        """Return the version that ``name`` (its newest) or ``name@3`` means now, compiled.

        Raise :class:`Invalid` with a fault of the field ``template``: ``template_unknown`` with the nearest name,
        ``template_unpublished``, ``version_unknown``.
        """
        name, version = read_reference(reference)

        def look(work: Work) -> int:
            row = work.templates.get(workspace, name)
            if row is None:
                raise unknown_reference(work, workspace, name)
            if row.published == 0:
                raise unpinnable("template_unpublished", f"{name!r} has a draft, but nothing is published yet")
            if version is not None and version > row.published:
                raise unpinnable("version_unknown", f"{name!r} has no version {version}; its newest is {row.published}")
            return version or row.published

        pinned = await self._store.read(look)
        return Pinned(name=name, version=pinned, compiled=await self.compiled(workspace, name, pinned))

    async def compiled(self, workspace: int, name: str, version: int) -> CompiledTemplate:
        """Return a version, compiled once and kept; raise :class:`Missing` (``version_unknown``) if there is none."""
        key = (workspace, name, version)
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        draft = await self._version(key)
        return self._cache.keep(key, lambda: compile_template(draft))

    async def _version(self, key: Key) -> TemplateDraft:
        """Return what was published as a version, from the shelf or the store."""
        if self._shelf is not None and (row := await self._shelf.get(key)) is not None:
            with contextlib.suppress(SealBroken):  # then the store has the truth
                return self._sleeper.version(row)
        row = await self._store.read(lambda work: work.templates.version(*key))
        if row is None:
            _, name, version = key
            raise Missing(f"{name!r} has no version {version}", code="version_unknown")
        if self._shelf is not None:
            await self._shelf.put(row)
        return self._sleeper.version(row)

    async def preview(
        self,
        workspace: int,
        name: str,
        data: dict[str, Any],
        *,
        channel: Channel = Channel.EMAIL,
        locale: str | None = None,
        version: int | None = None,
    ) -> Preview:
        """Return what a person with ``data`` would get from a version, or from the draft where none is named."""
        if version is None:
            compiled = compile_template((await self.get(workspace, name)).draft)
        else:
            compiled = await self.compiled(workspace, name, version)
        return preview(compiled, data, channel=channel, locale=locale, date=self._clock.now())


def _row(work: Work, workspace: int, name: str) -> TemplateRow:
    """Return a template's row; raise :class:`Missing` with the nearest name."""
    row = work.templates.get(workspace, name)
    if row is None:
        raise unknown(work, workspace, name)
    return row
