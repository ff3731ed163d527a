"""The installation's revision: how a process learns within a second that another changed a key or a provider.

Whoever changes one of them writes a new revision in the same transaction. Every process looks for it twice a second
and at each hint; what it keeps in memory is believed for as long as the revision was seen to be the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from pagerd.ports.cache import Bus
from pagerd.ports.store import Store, Work
from pagerd.ports.time import Chance, Clock
from pagerd.ports.watch import Watch

FRESH: Final = 1.0
"""For how many seconds what was last looked at is believed: a change is felt that late at most."""
_EVERY: Final = 0.5
_FACT: Final = "revision"
_TOPIC: Final = "revision"


class Revision:
    """Marks changes, and notices those of other processes. :meth:`run` is what makes it notice by itself."""

    def __init__(self, store: Store, clock: Clock, chance: Chance, bus: Bus | None = None) -> None:
        """``bus`` makes others notice sooner; without one, or where it fails, they look by themselves."""
        self._store = store
        self._clock = clock
        self._chance = chance
        self._bus = bus
        self._seen = b""
        self._seen_at = float("-inf")
        self._changes = 0
        self._followed = b""
        self._followers: list[Callable[[], Awaitable[None]]] = []
        self._hint = asyncio.Event()

    def mark(self, work: Work) -> None:
        """Write a new revision, in the transaction of the change itself."""
        work.facts.set(_FACT, self._chance.new_id())  # no counter: two changes at once could write the same number

    async def tell(self) -> None:
        """Let all look now rather than soon, this process before it believes anything: after a change was committed."""
        self._seen_at = float("-inf")
        self._changes += 1
        self._hint.set()
        if self._bus is not None:
            await self._bus.tell(_TOPIC, b"")

    @property
    def known(self) -> bytes | None:
        """The revision, as it certainly was less than a second ago; ``None`` when nobody has looked since."""
        return self._seen if self._clock.monotonic() - self._seen_at < FRESH else None

    def follow(self, follower: Callable[[], Awaitable[None]]) -> None:
        """Call ``follower`` after each change, once it was noticed; again and again while it raises."""
        self._followers.append(follower)

    async def look(self) -> None:
        """Look whether something changed, and if so tell the followers."""
        at, changes = self._clock.monotonic(), self._changes
        seen = await self._store.read(lambda work: work.facts.get(_FACT)) or b""
        if changes == self._changes:  # else it may be from before a change of our own
            self._seen, self._seen_at = seen, at
        if seen != self._followed:
            for follower in self._followers:
                await follower()
            self._followed = seen

    async def run(self, watch: Watch) -> None:
        """Look twice a second, and at each hint, until cancelled."""
        ear = asyncio.create_task(self._listen())
        try:
            while True:
                self._hint.clear()
                try:
                    await self.look()
                except Exception as error:  # noqa: BLE001 - a loop that died would leave a process that hears of nothing
                    watch.trouble("changes of keys and providers can't be looked for", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY):
                        await self._hint.wait()
        finally:
            ear.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ear

    async def _listen(self) -> None:
        if self._bus is not None:
            async for _ in self._bus.listen(_TOPIC):
                self._hint.set()
