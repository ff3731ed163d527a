"""The window: how many messages of this process may be under way, so that a death leaves at most so many in doubt."""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """Hands out shares of the window, first come first served; urgent work has a reserve that bulk can't take."""

    def __init__(self, window: int, reserve: int) -> None:
        """``window`` counts every recipient in ``sending``; ``reserve`` of them are for urgent messages alone."""
        self._free = window
        self._reserve = min(reserve, window - 1)
        self.largest = max(1, window - self._reserve)
        self._queue: deque[tuple[int, bool, asyncio.Future[None]]] = deque()

    async def take(self, n: int, *, urgent: bool) -> None:
        """Return once ``n`` messages may leave; ``n`` is at most ``largest``."""
        if not self._queue and self._fits(n, urgent):
            self._free -= n
            return
        if urgent and self._fits(n, urgent):
            self._free -= n
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((n, urgent, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(n)
            else:
                self._queue = deque(entry for entry in self._queue if entry[2] is not turn)
            raise

    def give(self, n: int) -> None:
        """Take back what :meth:`take` handed out."""
        self._free += n
        while self._queue:
            n, urgent, turn = self._queue[0]
            if turn.cancelled():
                self._queue.popleft()
                continue
            if not self._fits(n, urgent):
                return
            self._queue.popleft()
            self._free -= n
            turn.set_result(None)

    def _fits(self, n: int, urgent: bool) -> bool:
        return self._free - (0 if urgent else self._reserve) >= n
