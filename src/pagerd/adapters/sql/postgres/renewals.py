"""Extending leases, on a thread and a line of its own: a busy event loop must not let them go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.held import Held
from pagerd.adapters.sql.postgres.lines import Line, Lines
from pagerd.adapters.sql.postgres.statements import HOT
from pagerd.core.batches import BatchKey
from pagerd.ports.time import Clock

_SOON = 1.0


async def renew(lines: Lines, held: Held, clock: Clock, length: float) -> None:
    """Extend what is not over yet; what is over is not held any more, whoever has it now."""
    began = clock.monotonic()
    asked = held.all()
    if asked:
        extended = await lines.run(lambda line: _extended(line, asked, length))
        held.renewed(asked, extended, began + length)


async def _extended(line: Line, asked: Sequence[tuple[BatchKey, int]], length: float) -> set[BatchKey]:
    left = dict(asked)
    while left:
        columns = [[k.session for k in left], [k.no for k in left], list(left.values())]
        for session, no in await line.fetch(HOT["renew"], length, *columns):
            left.pop(BatchKey(session, no))
        if not left:
            break
        # Not extended: it is over, or a write of ours has the row right now. That one is waited for.
        columns = [[k.session for k in left], [k.no for k in left], list(left.values())]
        still = {BatchKey(session, no) for session, no in await line.fetch(HOT["still_held"], *columns)}
        if not still:
            break
        left = {key: token for key, token in left.items() if key in still}
        await asyncio.sleep(0.01)
    return {key for key, _ in asked} - left.keys()


class Renewer:
    """Renews every ``every`` seconds until it is closed; after a failure it tries again soon."""

    def __init__(self, at: Address, held: Held, clock: Clock, *, length: float, every: float) -> None:
        self._at = at
        self._held = held
        self._clock = clock
        self._length = length
        self._every = every
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pagerd-lease", daemon=True)
        self._thread.start()

    async def aclose(self) -> None:
        """End; twice is harmless."""
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            lines = Lines(self._at)
            wait = self._every
            while not self._closing.wait(wait):
                try:
                    runner.run(renew(lines, self._held, self._clock, self._length))
                    wait = self._every
                except Exception:  # noqa: BLE001 - a database that can't be reached lets the lease end, and the sending
                    wait = min(_SOON, self._every)
            runner.run(lines.aclose())
