"""``pagerd check --recount``: everything counted again from the batches, and compared with what the answers say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from pagerd.cli.server.beside import Beside, opened
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured

if TYPE_CHECKING:
    from pagerd.ledger.recount import Difference
    from pagerd.ports.store import SessionRow, Work

_AT_ONCE = 100


class Recounted(msgspec.Struct, kw_only=True):
    """What was looked at, and where a counter was wrong."""

    sessions: int = 0
    messages: int = 0
    batches: int = 0
    people: int = 0
    differences: list[Difference] = []
    damage: str = ""

    @property
    def well(self) -> bool:
        """Whether every counter is what the batches say, and what is kept is sound."""
        return not self.differences and not self.damage


async def recounted(settings: Settings) -> Recounted:
    """Count again. Each session is one consistent snapshot, so that it may be done while a server works."""
    store = await opened(settings, keep=False)
    found = Recounted()
    try:
        if isinstance(store, Beside):
            found.damage = _examined(store)
        after = 0
        while rows := await store.read(lambda work: work.sessions.next_after(after, _AT_ONCE)):  # noqa: B023
            for row in rows:
                await store.read(partial(_count, found, row.number))
            after = rows[-1].number
    finally:
        await store.aclose()
    return found


def _examined(store: Beside) -> str:
    """Return what is wrong with the file itself; raise where it is of another version."""
    from pagerd.adapters.sql.migrate import HEAD
    from pagerd.cli.server.migrating import revision_of

    if (revision := revision_of(store.path)) != HEAD:
        raise Misconfigured(
            f"{store.path} is of another version of Pager (revision {revision}; this program knows {HEAD})",
            remedy="Count with the version that wrote it, or migrate first (pagerd migrate).",
        )
    answer = store.raw.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if answer == "ok" else str(answer)


def _count(found: Recounted, number: int, work: Work) -> None:
    """Count one session again, within one snapshot."""
    from pagerd.ledger.recount import recount

    row = work.sessions.by_number(number)
    if row is None:
        return
    found.differences += recount(work, row, _closed_reason(work, row))
    found.messages += row.is_message
    found.sessions += not row.is_message
    found.batches += row.last_no
    found.people += row.total


def _closed_reason(work: Work, row: SessionRow) -> int:
    """Return the number of the reason that people of a closed session carry who were never claimed."""
    from pagerd.session.closing import REASONS

    if row.closed_as is None:
        return 0
    wanted = REASONS[row.closed_as]
    return next((number for number, reason in work.reasons.all().items() if reason == wanted), 0)


def told(found: Recounted) -> str:
    """Return what was found, for people."""
    seen = (
        f"Looked at {found.sessions:,} sessions and {found.messages:,} messages: {found.batches:,} batches, "
        f"{found.people:,} people."
    )
    if found.well:
        return f"{seen}\nEvery counter and every reason is what the batches say; what is kept is sound."
    lines = [seen]
    if found.damage:
        lines.append(f"The file is damaged: {found.damage}")
    said = (f"{d.session}: {d.what} says {d.counted:,}, the batches say {d.recounted:,}" for d in found.differences)
    return "\n".join([*lines, *said])
