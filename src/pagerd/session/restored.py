"""What a start from a backup does: everything unfinished is paused, for it may have been sent after the backup."""

from __future__ import annotations

from functools import partial
from typing import Final

from pagerd.core.states import SessionState
from pagerd.ports.store import Store, Work
from pagerd.session.control import paused

REASON: Final = "restored from a backup: what was sent since then is not known here; look, then resume or cancel"
_AT_ONCE: Final = 100
_PAUSABLE: Final = (SessionState.SCHEDULED, SessionState.READY, SessionState.RUNNING)


async def pause_everything(store: Store) -> int:
    """Pause every unfinished session and message; return how many."""
    after, count = 0, 0
    while True:
        last, some = await store.work(partial(_pause_some, after))
        if last is None:
            return count
        after, count = last, count + some


def _pause_some(after: int, work: Work) -> tuple[int | None, int]:
    rows = work.sessions.unfinished(after, _AT_ONCE)
    some = [row for row in rows if row.state in _PAUSABLE]
    for row in some:
        work.sessions.save(paused(row, REASON))
    return (rows[-1].number if rows else None), len(some)
