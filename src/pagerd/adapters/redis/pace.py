"""One pace for all processes, counted by Redis; while it is away, each keeps to a share of its own.

::

    shared ── Redis is lost ──► silent, until the others must have noticed ──► alone, at rate / workers
       ▲                                                                                │
       └──────────────── Redis answers: the burst counts as spent ──────────────────────┘

Whoever is not heard of may be sending at its own share, so the others leave it that share (see ``pace.lua``).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pagerd.adapters.redis.link import Link
from pagerd.core.errors import PagerError
from pagerd.core.rates import Meter, Rate
from pagerd.ports.time import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARD: Final = 2.0
"""For so many seconds a silent worker is believed to share; so long one that lost Redis sends nothing."""
FORGOTTEN: Final = 30.0
"""After so many seconds a silent worker is believed to be dead."""
_TIMES: Final = (int(HEARD * 1e6), int(FORGOTTEN * 1e6))
_BEAT: Final = 0.5
_NO_RATE: Final = Rate(messages=1)
_SCRIPT: Final = Path(__file__).with_name("pace.lua")


class RedisPace:
    """Implements ``ports.pace.Pace``. The link is closed by its owner, after this."""

    def __init__(self, link: Link, clock: Clock, *, share_of: int = 1) -> None:
        """``share_of``: among how many workers a rate is shared at least while Redis is away."""
        self._link = link
        self._clock = clock
        self._share_of = share_of
        self._among = 0
        self._worker = os.urandom(8).hex()
        self._script = link.client.register_script(_SCRIPT.read_text("utf-8"))
        self._alone: dict[str, Meter] = {}
        self._heard_at = clock.monotonic()
        self._lost = False
        self._beat: asyncio.Task[None] | None = None

    @property
    def workers(self) -> int:
        """Among how many workers a rate is shared, as far as this one knows."""
        return max(self._among, self._share_of)

    async def take(self, key: str, rate: Rate, n: int) -> float:
        """Take ``n`` messages of ``key``'s rate; return 0 where they may leave now, else the seconds to wait."""
        if self._beat is None:
            self._beat = asyncio.create_task(self._live())
        try:
            wait = await self._ask(key, rate, n)
        except PagerError:
            return self._take_alone(key, rate, n)
        self._alone.pop(key, None)
        return wait

    async def ping(self) -> None:
        """Return when the rate is shared; raise :class:`Unavailable` if not."""
        await self._link.ping()

    async def aclose(self) -> None:
        """Leave one's share to the others; twice is harmless."""
        if self._beat is not None:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat
            self._beat = None
            with contextlib.suppress(PagerError):
                await self._link.ask(lambda client: client.zrem(self._name("workers"), self._worker))

    def _take_alone(self, key: str, rate: Rate, n: int) -> float:
        now = self._clock.monotonic()
        share = rate.share(self.workers)
        meter = self._alone.get(key)
        if meter is None:  # as if the burst had just left
            opens = max(self._heard_at + HEARD, now)
            meter = self._alone[key] = Meter(opens + share.burst * share.each)
        return meter.take(now, share, n)

    async def _ask(self, key: str, rate: Rate, n: int) -> float:
        """Return the seconds to wait, as Redis says it; with ``n`` 0 it is a sign of life."""
        was_alone = key in self._alone
        known = self.workers if self._lost or was_alone else 0
        each = max(1, math.ceil(rate.each * 1e6))
        keys = [self._name(f"paid:{key}"), self._name("workers"), self._name("before")]
        arguments: list[str | int] = [self._worker, n, each, rate.burst, known, int(was_alone), *_TIMES]

        async def run(client: Redis) -> tuple[int, int]:
            wait, among = await self._script(keys=keys, args=arguments, client=client)
            return int(wait), int(among)

        try:
            wait, self._among = await self._link.ask(run)
        except PagerError:
            self._lost = True
            raise
        self._lost = False
        self._heard_at = self._clock.monotonic()
        return wait / 1e6

    async def _live(self) -> None:
        """Tell the others that this worker is there, and hear how many they are."""
        while True:
            await asyncio.sleep(_BEAT)
            with contextlib.suppress(PagerError):
                await self._ask("", _NO_RATE, 0)

    def _name(self, what: str) -> str:
        return f"{self._link.prefix}pace:{what}"
