"""The window: how many messages of this process may be under way, so that a death leaves at most so many in doubt."""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """Hands out shares of the window, first come first served; urgent work has a reserve that bulk can't take.

    Urgent and bulk wait in queues of their own, so that a large share of bulk that does not fit holds nobody urgent up.
    """

    def __init__(self, window: int, reserve: int) -> None:
        """``window`` counts every recipient in ``sending``; ``reserve`` of them are for urgent messages alone."""
        self._free = window
        self._reserve = min(reserve, window - 1)
        self.largest = max(1, window - self._reserve)
        self._queues: dict[bool, deque[tuple[int, asyncio.Future[None]]]] = {True: deque(), False: deque()}

    async def take(self, n: int, *, urgent: bool) -> None:
        """Return once ``n`` messages may leave; ``n`` is at most ``largest``."""
        queue = self._queues[urgent]
        if not queue and self._fits(n, urgent):
            self._free -= n
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append((n, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self.give(0)  # whoever stood behind may fit
            else:
                self.give(n)
            raise

    def give(self, n: int) -> None:
        """Take back what :meth:`take` handed out."""
        self._free += n
        for urgent, queue in self._queues.items():
            while queue and (queue[0][1].cancelled() or self._fits(queue[0][0], urgent)):
                share, turn = queue.popleft()
                if not turn.cancelled():
                    self._free -= share
                    turn.set_result(None)

    def _fits(self, n: int, urgent: bool) -> bool:
        return self._free - (0 if urgent else self._reserve) >= n
