"""The prepare barrier: nothing leaves before everybody in the batch is decrypted, rendered and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.core import ids
from pagerd.core.batches import Claim
from pagerd.core.messages import Message
from pagerd.core.outcomes import ReasonClass
from pagerd.core.policy import OnInvalid
from pagerd.ledger import payloads
from pagerd.ports.time import Clock
from pagerd.seal.index import BlindIndex
from pagerd.worker.briefs import Brief
from pagerd.worker.compose import Composed, Composer, Person, Refusal
from pagerd.worker.solo import compose_alone

_COMPOSERS_KEPT: Final = 256

__all__ = ["Prepared", "Preparer", "Refusal"]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What may leave, who was refused, and whether the rest may go without them; ``died``: the child did not answer."""

    messages: list[Message]
    verdicts: list[Refusal]
    refused: bool
    may_go: bool
    died: bool = False


class Preparer:
    """Prepares batches; keeps what a session's people share."""

    def __init__(self, index: BlindIndex, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._composers: dict[tuple[int, int], Composer] = {}

    async def prepare(self, brief: Brief, claim: Claim, places: Sequence[int], *, alone: bool) -> Prepared:
        """Return what a batch's pending ``places`` become; ``alone`` does it in a child process with limits.

        Raise :class:`SealBroken` where the payload does not open.
        """
        people = self._people(brief, claim, places)
        if alone:
            composed = await compose_alone(brief.template.draft, brief.spec, people, self._clock.now())
            if composed is None:
                return Prepared(messages=[], verdicts=[], refused=False, may_go=False, died=True)
        else:
            composed = self._composer(brief, claim).compose(people, self._clock.now(), len(claim.payload))
        return _judged(brief, composed)

    def _people(self, brief: Brief, claim: Claim, places: Sequence[int]) -> list[Person]:
        recipients = payloads.opened(brief.key, brief.row.id, claim.payload_at, claim.payload)
        keys = ids.recipient_ids(brief.row.id, claim.key.no, places, self._index.tail)
        return [Person(idx, key, recipients[idx]) for idx, key in zip(places, keys, strict=True)]

    def _composer(self, brief: Brief, claim: Claim) -> Composer:
        at = (claim.key.session, claim.round)
        composer = self._composers.get(at)
        if composer is None:
            if len(self._composers) >= _COMPOSERS_KEPT:
                self._composers.clear()
            composer = self._composers[at] = Composer(brief.template, brief.spec)
        return composer


def _judged(brief: Brief, composed: Composed) -> Prepared:
    """Apply G6b: one who can't be told fails the batch, or under ``skip`` only themselves."""
    refusals = composed.refusals
    if not refusals:
        return Prepared(messages=composed.messages, verdicts=[], refused=False, may_go=True)
    if brief.spec.on_invalid is OnInvalid.SKIP:
        return Prepared(messages=composed.messages, verdicts=refusals, refused=True, may_go=True)
    culprit = refusals[0].place
    neighbours = [
        Refusal(m.place, ReasonClass.BATCH_NOT_STARTED, "batch_not_started", "", caused_by=culprit)
        for m in composed.messages
    ]
    return Prepared(messages=[], verdicts=[*refusals, *neighbours], refused=True, may_go=False)
