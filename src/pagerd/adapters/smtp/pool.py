"""Warm connections, lent one batch at a time, first come first served.

A connection is opened only when none is free, so there are as many as the lanes need, up to the setting. Where the
peer takes no more while others live, that many are enough for a while. The last one given back is lent first, so that
the surplus grows old and is closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from pagerd.adapters.smtp.abilities import Abilities
from pagerd.adapters.smtp.delivery import Line
from pagerd.adapters.smtp.refusal import Refusal
from pagerd.adapters.smtp.wire import Wire
from pagerd.core.outcomes import FailureClass

RESTED_AFTER: Final = 1.0
"""Seconds after which an idle connection may have died unseen."""
CONTENT_FOR: Final = 30.0
"""Seconds for which a peer's "no more connections" is believed."""
GOODBYE: Final = 2.0


class Link:
    """A connection and what is known of it."""

    __slots__ = ("carried", "idle_since", "line", "wire")

    def __init__(self, wire: Wire, abilities: Abilities) -> None:
        self.wire = wire
        self.line = Line(abilities)
        self.carried = 0
        self.idle_since = 0.0


class Ceiling:
    """How many connections there may be: fewer for a while after the peer refused one more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._most = size
        self._until = 0.0

    def lower(self, living: int) -> None:
        """Be content with those that live."""
        self._most = living
        self._until = asyncio.get_running_loop().time() + CONTENT_FOR

    def at(self, living: int) -> int:
        """Return how many there may be now; where none lives, one more must be tried in any case."""
        if self._most < self._size and (not living or asyncio.get_running_loop().time() >= self._until):
            self._most = self._size
        return self._most


class Pool:
    """The connections of one provider: at most ``size`` at a time, idle ones closed after ``idle`` seconds."""

    def __init__(
        self, open_one: Callable[[], Awaitable[tuple[Wire, Abilities]]], *, size: int, idle: float, messages: int
    ) -> None:
        self._open_one = open_one
        self._ceiling = Ceiling(size)
        self._idle = idle
        self._messages = messages
        self._free: list[Link] = []
        self._lent: set[Link] = set()
        self._places = 0
        self._queue: deque[asyncio.Future[Link | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def borrow(self) -> Link:
        """Return a connection for one batch; raise :class:`Refusal` where none can be had. Give it back, always."""
        self._check()
        while self._free:
            link = self._free.pop()
            if not link.wire.lost:
                self._lent.add(link)
                return self._rated(link)
            self._places -= 1
        self._call_next()
        if not self._has_room():
            return await self._stand_in_line()
        self._places += 1
        return await self._fill()

    def give_back(self, link: Link, carried: int) -> None:
        """Take a connection back after ``carried`` messages; one that is broken or worn out makes room for another.

        One that was given up for a fresh one meanwhile is nobody's.
        """
        if link not in self._lent:
            return
        self._lent.remove(link)
        link.carried += carried
        link.line.reused = True
        link.idle_since = asyncio.get_running_loop().time()
        if link.wire.lost or link.line.over:
            link.wire.abort()
            self._vacate()
        elif self._closed or link.carried >= self._messages:
            link.wire.quit()
            self._vacate()
        elif not self._hand_over(link):
            self._keep(link)

    async def renew(self, link: Link) -> Link:
        """Return a fresh connection in the place of one that died while idle; raise :class:`Refusal` where none is had.

        The old one need not be given back.
        """
        self._lent.discard(link)
        link.wire.abort()
        if self._closed:
            self._vacate()
            self._check()
        return await self._fill()

    async def aclose(self) -> None:
        """Close every connection, those lent out too; twice is harmless."""
        self._closed = True
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_exception(Refusal.local("closed"))
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        free, self._free = self._free, []
        self._places -= len(free)
        for link in free:
            link.wire.quit()
        lent = list(self._lent)
        for link in lent:
            link.wire.abort()
        gone = [link.wire.gone for link in free + lent]
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE)
            for link in free:
                link.wire.abort()

    def _check(self) -> None:
        """Raise :class:`Refusal` when the pool is closed."""
        if self._closed:
            raise Refusal.local("closed", "the provider is closed")

    def _rated(self, link: Link) -> Link:
        """Note whether a connection that goes out has rested."""
        idle = asyncio.get_running_loop().time() - link.idle_since if link.line.reused else 0.0
        link.line.rested = idle >= RESTED_AFTER
        return link

    async def _fill(self) -> Link:
        """Open a connection in a place that is ours; where the peer takes no more while others live, wait for one."""
        try:
            wire, abilities = await self._open_one()
        except Refusal as refusal:
            self._places -= 1
            living = len(self._free) + len(self._lent)
            if not living or self._closed or refusal.kind not in (FailureClass.THROTTLED, FailureClass.TRANSIENT):
                self._call_next()
                raise
            self._ceiling.lower(living)
            return await self.borrow()
        except BaseException:
            self._vacate()
            raise
        link = Link(wire, abilities)
        link.wire.on_idle_loss = lambda: self._lost(link)
        if self._closed:
            link.wire.quit()
            self._vacate()
            self._check()
        self._lent.add(link)
        return link

    async def _stand_in_line(self) -> Link:
        """Wait for a connection, or for a place to open one in."""
        waiter: asyncio.Future[Link | None] = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            link = await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._return(waiter.result())
            raise
        return self._rated(link) if link is not None else await self._fill()

    def _return(self, granted: Link | None) -> None:
        """Pass on what was granted to somebody who went away."""
        if granted is None:
            self._vacate()
        else:
            self.give_back(granted, 0)

    def _hand_over(self, link: Link | None) -> bool:
        """Give a connection, or with ``None`` a place, to the first in line; tell whether there was one."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                if link is not None:
                    self._lent.add(link)
                waiter.set_result(link)
                return True
        return False

    def _vacate(self) -> None:
        """Free a place; the first in line may have it."""
        self._places -= 1
        self._call_next()

    def _call_next(self) -> None:
        """Let those who wait longest open connections, as many as there are places."""
        while self._has_room() and self._hand_over(None):
            self._places += 1

    def _has_room(self) -> bool:
        """Tell whether one more may be opened."""
        return self._places < self._ceiling.at(len(self._free) + len(self._lent))

    def _keep(self, link: Link) -> None:
        """Put a connection among the free ones."""
        self._free.append(link)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle, self._sweep)

    def _lost(self, link: Link) -> None:
        """Forget a connection that its peer closed while it was free."""
        if link in self._free:
            self._free.remove(link)
            self._vacate()

    def _sweep(self) -> None:
        """Close what has been idle for too long; the longest idle stand first."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        due = loop.time() - self._idle + 0.01
        while self._free and self._free[0].idle_since <= due:
            link = self._free.pop(0)
            link.wire.quit()
            self._vacate()
        if self._free:
            self._sweeper = loop.call_at(self._free[0].idle_since + self._idle, self._sweep)
