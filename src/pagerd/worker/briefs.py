"""What a lane must know of a session: its policy, its key, its template, read once and kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from pagerd.core import ids
from pagerd.core.errors import Missing
from pagerd.core.policy import Priority, SessionSpec
from pagerd.ledger import specs
from pagerd.ports.store import SessionRow, Store
from pagerd.render.compiled import CompiledTemplate
from pagerd.seal.hierarchy import Seal, SessionKey
from pagerd.templates.library import Templates
from pagerd.worker.schedules import SCHEDULES, Schedule

_KEPT: Final = 1024


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A session as a lane sees it. Nothing in it changes while the session lives, but ``expires_at`` at a redrive."""

    row: SessionRow
    name: str
    spec: SessionSpec
    key: SessionKey
    template: CompiledTemplate
    schedule: Schedule

    @property
    def urgent(self) -> bool:
        """Whether it goes by the urgent lanes."""
        return self.row.priority is Priority.URGENT

    @property
    def give_up_at(self) -> float:
        """When trying again ends (UTC epoch seconds); each round counts from its own beginning."""
        row = self.row
        if row.expires_at is not None:
            return row.expires_at
        return max(row.created_at, row.started_at or 0.0, row.send_at or 0.0) + self.schedule.expiry


class Briefs:
    """Reads briefs and keeps the latest ones."""

    def __init__(self, store: Store, seal: Seal, templates: Templates) -> None:
        self._store = store
        self._seal = seal
        self._templates = templates
        self._kept: OrderedDict[tuple[int, int], Brief] = OrderedDict()

    async def of(self, session: int, round_: int) -> Brief:
        """Return the brief of a session by its row number; raise :class:`Gone` when its key was shredded."""
        known = self._kept.get((session, round_))
        if known is not None:
            self._kept.move_to_end((session, round_))
            return known
        row = await self._store.read(lambda work: work.sessions.by_number(session))
        if row is None:
            raise Missing(f"there is no session number {session}")
        key = await self._seal.session_key(row.key_id)
        brief = Brief(
            row=row,
            name=ids.written(ids.SESSION, row.id),
            spec=specs.opened(key, row.id, row.spec),
            key=key,
            template=await self._templates.compiled(row.workspace, row.template, row.version),
            schedule=SCHEDULES[row.channel],
        )
        self._kept[session, round_] = brief
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return brief
