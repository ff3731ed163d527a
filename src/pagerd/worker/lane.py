"""A lane: one batch at a time, from claim to ack.

::

    prepare ─► (share of the window) ─► intent ─► send ─► record ─┬─► next window
       │                                  │                       └─► settle, or put off ─► ack
       └─► refused: settle                └─► stopped or lost: let go
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.core import cells
from pagerd.core.batches import Claim
from pagerd.core.errors import Gone, PagerError, SealBroken, Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome, Reason, ReasonClass
from pagerd.core.resolution import HELD, LOSSES_IN_ALL, LOSSES_TOGETHER, POISON, died, died_as, ended
from pagerd.core.states import BatchState, RecipientState
from pagerd.ledger import records
from pagerd.ledger.book import BatchPage
from pagerd.ledger.reasons import ReasonBook
from pagerd.ports.failpoints import Failpoint
from pagerd.ports.ledger import Ledger, Said, Write
from pagerd.ports.time import Chance, Clock
from pagerd.ports.watch import BatchDone, Watch
from pagerd.route.carrier import Carrier
from pagerd.route.providers import Providers
from pagerd.worker.briefs import Brief, Briefs
from pagerd.worker.budget import Budget
from pagerd.worker.prepare import Prepared, Preparer, Refusal
from pagerd.worker.verdicts import Terms, judged

_R = RecipientState
_UNWRITABLE_WAIT: Final = 0.5
_GIVE_BACK_WAIT: Final = 5.0
_UNUSABLE: Final = Reason(ReasonClass.EXPIRED, "provider_unavailable")
_FENCE_MARGIN: Final = 5.0


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What all lanes of a worker share."""

    ledger: Ledger
    briefs: Briefs
    preparer: Preparer
    providers: Providers
    book: ReasonBook
    budget: Budget
    clock: Clock
    chance: Chance
    watch: Watch
    failpoint: Failpoint
    stopping: asyncio.Event
    fence_margin: float = _FENCE_MARGIN

    def fence(self) -> bool:
        """Tell whether the last byte of a message may still be written: the lease is safe, and nobody wants to stop."""
        self.failpoint("K8")
        return self.lease_is_safe() and not self.stopping.is_set()

    def lease_is_safe(self) -> bool:
        """Tell whether this process's claims are certainly its own for some time to come."""
        return self.clock.monotonic() < self.ledger.lease_end() - self.fence_margin


class Lane:
    """Works one claimed batch to its end. :meth:`run` never raises: what went wrong is in the ledger and the log."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._t = tools
        self._claim = claim
        self._page = BatchPage(claim)
        self._kinds: Counter[str] = Counter()
        self._provider = ""
        self._state = BatchState.CLAIMED
        self._name = ""

    async def run(self) -> None:
        """Work the batch until it is settled, put off, or lost to another claim."""
        began = self._t.clock.monotonic()
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 - a batch that breaks its lane is a lost claim, not a lost worker
            self._t.watch.trouble(f"batch {self._claim.key.no} of session {self._name}", error)
            await self._lose()
        self._t.failpoint("K12")
        self._t.watch.batch_done(
            BatchDone(
                session=self._name,
                no=self._claim.key.no,
                token=self._claim.token,
                state=self._state,
                people=len(self._page.vec) // cells.SIZE,
                kinds=self._kinds,
                provider=self._provider,
                seconds=self._t.clock.monotonic() - began,
            )
        )

    async def _work(self) -> None:
        key = self._claim.key
        try:
            brief = await self._t.briefs.of(key.session, self._claim.round)
            self._name = brief.name
            if not self._page.places(_R.PENDING):
                await self._finish()
                return
            alone = self._claim.losses >= LOSSES_TOGETHER
            prepared = await self._t.preparer.prepare(brief, self._claim, self._page.places(_R.PENDING), alone=alone)
        except (Gone, SealBroken) as error:
            await self._refuse(None, [Refusal(idx, ReasonClass.INVALID, error.code, str(error)) for idx in self._all()])
            return
        self._t.failpoint("K6")
        if prepared.died:
            await self._lose()
        elif prepared.refused and not prepared.may_go:
            await self._refuse(brief, prepared.verdicts)
        else:
            await self._send(brief, prepared)

    def _all(self) -> tuple[int, ...]:
        return self._page.places(_R.PENDING)

    async def _send(self, brief: Brief, prepared: Prepared) -> None:
        if prepared.refused:
            await self._mark(prepared.verdicts)
        carrier = self._t.providers.choose(brief.spec.channel)
        if carrier is None:
            await self._held_up(brief, 5.0)
            return
        self._provider = carrier.provider.name
        messages = prepared.messages
        window = 1 if brief.urgent else min(self._t.budget.largest, carrier.window)
        for start in range(0, len(messages), window):
            wait = carrier.wait()
            if wait > 0:
                await self._held_up(brief, wait)
                return
            if carrier.pacing is not None:
                wait = await carrier.pacing.turn(min(window, len(messages) - start), urgent=brief.urgent)
            if wait > 0 or self._t.stopping.is_set():
                await self._put_off(wait)
                return
            last = start + window >= len(messages)
            if not await self._one_window(brief, carrier, messages[start : start + window], last=last):
                return
        if not messages:
            await self._finish()

    async def _one_window(self, brief: Brief, carrier: Carrier, window: Sequence[Message], *, last: bool) -> bool:
        """Send one window; return whether the batch is still ours and goes on."""
        t = self._t
        await t.budget.take(len(window), urgent=brief.urgent)
        try:
            if t.stopping.is_set():  # while it waited for its share
                await self._put_off(0.0)
                return False
            if not await self._intend(carrier, window):
                return False
            t.failpoint("K7")
            outcomes = await carrier.provider.send(window, self._fence)
            t.failpoint("K9")
            carrier.observe(outcomes)
            return await self._record(brief, carrier, outcomes, last=last)
        finally:
            t.budget.give(len(window))

    def _fence(self) -> bool:
        """Tell whether the last byte of a message of this batch may still be written."""
        return self._t.fence() and self._t.ledger.holds(self._claim.key, self._claim.token)

    async def _intend(self, carrier: Carrier, window: Sequence[Message]) -> bool:
        self._page.intend(tuple([message.place for message in window]), carrier.number)
        said = await self._flush(self._page.write(BatchState.DISPATCHING, needs_running=True))
        if said is Said.STOPPED:
            self._page.back()
            await self._stopped()
        return said is Said.WRITTEN

    async def _record(self, brief: Brief, carrier: Carrier, outcomes: Sequence[Outcome], *, last: bool) -> bool:
        attempt = self._sealed(brief, carrier.number, outcomes)
        broken = False
        if {outcome.kind for outcome in outcomes} == {FailureClass.OK}:
            self._page.accept(tuple([outcome.place for outcome in outcomes]))
            self._kinds[FailureClass.OK] += len(outcomes)
        else:
            await self._judge(brief, outcomes)
            broken = any(o.kind in (FailureClass.IN_DOUBT, FailureClass.NOT_SENT) for o in outcomes)
        if last or broken:
            await self._finish(attempt)
            return False
        written = await self._flush(self._page.write(BatchState.DISPATCHING, attempt=attempt)) is Said.WRITTEN
        self._t.failpoint("K10")
        return written

    async def _judge(self, brief: Brief, outcomes: Sequence[Outcome]) -> None:
        terms = Terms(
            now=self._t.clock.now(),
            give_up_at=brief.give_up_at,
            schedule=brief.schedule,
            chance=self._t.chance,
        )
        people = list(self._page.cells)
        for outcome in outcomes:
            self._kinds[outcome.kind] += 1
            cell, reason = judged(people[outcome.place], outcome, terms)
            if reason is not None:
                cell = cell._replace(code=await self._number(reason))
            people[outcome.place] = cell
        self._page.cells = people

    def _sealed(self, brief: Brief, provider: int, outcomes: Sequence[Outcome]) -> bytes:
        claim = self._claim
        at = records.place(claim.key.no, claim.token, self._page.window)
        return records.sealed(brief.key, brief.row.id, at, claim.round, provider, outcomes)

    async def _finish(self, attempt: bytes | None = None) -> None:
        """Settle the batch as a unit, or put it off until its next recipient is due."""
        if self._page.settled:
            write = self._page.write(self._page.verdict, attempt=attempt)
        else:
            write = self._page.write(BatchState.WAITING, attempt=attempt, run_at=self._next_run())
        await self._flush(write)
        self._t.failpoint("K11")

    def _next_run(self) -> float:
        now = self._t.clock.now()
        if self._page.places(_R.PENDING, _R.IN_DOUBT, _R.SENDING):
            return now
        return self._page.due() or now

    async def _refuse(self, brief: Brief | None, verdicts: Sequence[Refusal]) -> None:
        """Fail the batch before its first effect: everybody still pending in it is rejected."""
        await self._mark(verdicts)
        attempt = None
        if brief is not None:
            now = self._t.clock.now()
            attempt = self._sealed(brief, 0, [v.outcome(now) for v in verdicts])
        self._kinds["refused"] += len(verdicts)
        await self._finish(attempt)

    async def _mark(self, verdicts: Sequence[Refusal]) -> None:
        for verdict in verdicts:
            number = await self._number(Reason(verdict.kind, verdict.code))
            cell = self._page.cells[verdict.place]
            self._page.put(verdict.place, cell._replace(state=_R.REJECTED, code=number, not_before=0))

    async def _held_up(self, brief: Brief, wait: float) -> None:
        """Put the batch off because its provider can't be used now; whose time is over by then expires untried."""
        left = brief.give_up_at - self._t.clock.now()
        if left > 0:
            await self._put_off(min(wait, left))
            return
        reason, held = await self._number(_UNUSABLE), await self._number(HELD)
        for place in self._page.places(_R.PENDING, _R.DEFERRED):
            self._page.put(place, ended(self._page.cells[place], _R.EXPIRED, reason, held))
        await self._finish()

    async def _put_off(self, wait: float) -> None:
        now = self._t.clock.now()
        await self._flush(self._page.write(BatchState.WAITING, run_at=now + wait))

    async def _stopped(self) -> None:
        """Let go of a batch whose session does not run any more.

        A paused one waits; the claim parks it until the resume. What a cancel or an expiry does to it is the
        session's own chore, which takes waiting batches.
        """
        await self._put_off(0.0)

    async def _lose(self) -> None:
        """Give the batch back as a lost claim, however often that takes: as long as it is ours nobody else has it."""
        while True:
            try:
                return await self._give_back()
            except PagerError as error:
                self._t.watch.trouble("a lost batch can't be given back; it is tried again", error)
            if self._t.stopping.is_set():  # its lease ends with this process
                return None
            await asyncio.sleep(_GIVE_BACK_WAIT)

    async def _give_back(self) -> None:
        """Write that the claim was lost; too often, and the batch is dead."""
        self._page.back()
        if self._claim.losses + 1 >= LOSSES_IN_ALL:
            held, poison = await self._number(HELD), await self._number(POISON)
            left = self._page.vec
            self._page.vec = died(left, held, poison).vec
            write = self._page.write(died_as(left), lost=True)
        else:
            write = self._page.write(BatchState.WAITING, run_at=self._t.clock.now() + 1.0, lost=True)
        await self._flush(write)

    async def _number(self, reason: Reason) -> int:
        """Return a reason's number, however long the store can't give a new one: what was said is not forgotten."""
        while True:
            try:
                return await self._t.book.number(reason)
            except Unavailable as error:
                self._t.watch.trouble("a reason can't be given a number; its batch waits", error)
                await asyncio.sleep(_UNWRITABLE_WAIT)

    async def _flush(self, write: Write) -> Said:
        """Write, however long the store can't be written: what is known must not be forgotten while we live."""
        while True:
            try:
                said = (await self._t.ledger.flush([write]))[0]
                break
            except Unavailable as error:
                self._t.watch.trouble("the ledger can't be written; nothing is sent meanwhile", error)
                if write.needs_running and self._t.stopping.is_set():
                    return Said.LOST
                await asyncio.sleep(_UNWRITABLE_WAIT)
        if said is Said.WRITTEN:
            self._page.written(write)
            self._state = write.state
        return said
