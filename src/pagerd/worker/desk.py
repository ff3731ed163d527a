"""The desk: claims batches for idle lanes, urgent work first, and wakes when there is something to do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from pagerd.core.batches import Claim
from pagerd.core.policy import Priority
from pagerd.core.resolution import LOSSES_TOGETHER
from pagerd.ports.ledger import Want
from pagerd.worker.intake import Intake
from pagerd.worker.lane import Lane, Tools

_LONGEST_SLEEP: Final = 30.0
_LOOK_FOR_LOST: Final = 5.0
_LOOK_BEHIND: Final = 1.0
_TROUBLE_WAIT: Final = 1.0
_BUSY_SLEEP: Final = 1.0
_LAST_ANSWERS: Final = 0.5
_LAST_WORDS: Final = 5.0


class Desk:
    """Keeps ``lanes`` busy; ``reserve`` of them take urgent work only. ``intake`` is there where a queue carries it."""

    def __init__(self, tools: Tools, worker: bytes, lanes: int, reserve: int, intake: Intake | None = None) -> None:
        self._t = tools
        self._intake = intake
        self._worker = worker
        self._lanes = lanes
        self._reserve = min(reserve, lanes - 1)
        self._busy: set[asyncio.Task[None]] = set()
        self._alone = False
        self._look_at = 0.0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Claim and start lanes until told to stop; then wait for the lanes that are under way.

        Cancelled, it cuts that wait short: the lanes write down what is known, and what is not known is in doubt.
        """
        listener = asyncio.create_task(self._listen())
        if self._intake is not None:
            self._intake.start(self.wake)
        try:
            while not self._t.stopping.is_set():
                await self._round()
            if self._intake is not None:
                await self._intake.stop()
            if self._busy:
                await asyncio.wait(self._busy)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
            if self._intake is not None:
                await self._intake.stop()
            await self._let_go()

    async def _let_go(self) -> None:
        # A provider that is cancelled once still waits for the answer to a last byte that has left; twice, it gives up.
        for patience in (_LAST_ANSWERS, _LAST_WORDS):
            for lane in self._busy:
                lane.cancel()
            if self._busy:
                await asyncio.wait(self._busy, timeout=patience)

    def wake(self) -> None:
        """Look again: something changed."""
        self._wake.set()

    async def _listen(self) -> None:
        while True:
            await self._t.ledger.changed()
            self._point("K2")
            self._wake.set()

    async def _round(self) -> None:
        await self._settled()
        wants = self._wants()
        if not wants:
            await self._until_idle()
            return
        self._wake.clear()
        self._point("K3")
        try:
            self._point("K4")
            claims = await self._claim(wants)
            self._t.failpoint("K5")
            if claims:
                self._t.watch.claimed(len(claims))
                for claim in claims:
                    self._start(claim)
            elif self._busy:
                await self._sleep(_BUSY_SLEEP)  # a lane that comes free, or a change, wakes earlier
            else:
                await self._until_due()
        except Exception as error:  # noqa: BLE001 - a desk that died would leave a server that looks alive
            self._t.watch.trouble("no batch can be claimed", error)
            await self._sleep(_TROUBLE_WAIT)

    async def _claim(self, wants: list[Want]) -> list[Claim]:
        if not self._t.lease_is_safe():  # after a long stop of the machine all would come back unsent, at once
            await self._t.ledger.renew(self._worker)
        if self._intake is not None:
            return await self._intake.claim(wants)
        return await self._t.ledger.claim(self._worker, wants)

    def _point(self, name: str) -> None:
        """Pass a failpoint that is the relay's and the intake's where a queue carries the work."""
        if self._intake is None:
            self._t.failpoint(name)

    async def _settled(self) -> None:
        """Let lanes that are about to come free do so, that one claim serves them all."""
        busy = len(self._busy) + 1
        while len(self._busy) < busy:
            busy = len(self._busy)
            await asyncio.sleep(0)

    def _wants(self) -> list[Want]:
        idle = self._lanes - len(self._busy)
        if idle <= 0:
            return []
        wants = [] if self._alone else [Want(priority=Priority.BULK, batches=1, alone=True)]
        before = self._left_before()
        wants.append(Want(priority=Priority.URGENT, batches=idle, published_before=before))
        if idle > self._reserve:
            wants.append(Want(priority=Priority.BULK, batches=idle - self._reserve, published_before=before))
        return wants

    def _left_before(self) -> float:
        """Return, now and then, the time before which a queue that was there once may have been given something."""
        now = self._t.clock.monotonic()
        if now < self._look_at:
            return 0.0
        self._look_at = now + _LOOK_BEHIND
        return self._t.clock.now()

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(Lane(self._t, claim).run())
        self._busy.add(task)
        alone = claim.losses >= LOSSES_TOGETHER
        self._alone = self._alone or alone

        def done(ended: asyncio.Task[None]) -> None:
            self._busy.discard(ended)
            if alone:
                self._alone = False
            if self._intake is not None and not ended.cancelled() and ended.exception() is None:
                self._intake.ended(claim)
            self._idle.set()
            self._wake.set()

        task.add_done_callback(done)

    async def _until_idle(self) -> None:
        """Sleep until a lane is free."""
        self._idle.clear()
        await self._idle.wait()

    async def _until_due(self) -> None:
        """Sleep until something changed, or until the first waiting batch is due."""
        due = await self._t.ledger.next_due()
        wait = _LONGEST_SLEEP if due is None else due - self._t.clock.now()
        if wait > 0:
            longest = _LONGEST_SLEEP if self._intake is None else _LOOK_FOR_LOST
            await self._sleep(min(wait, longest))

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
