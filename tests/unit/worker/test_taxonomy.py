"""The retry taxonomy as a table: what each outcome makes of a recipient, through the whole lane."""

from __future__ import annotations

from typing import Any

import pytest

from pagerd.adapters.memory.provider import Answer
from pagerd.core.cells import Cell
from pagerd.core.outcomes import FailureClass, Outcome, ReasonClass
from pagerd.core.policy import Channel
from pagerd.core.states import RecipientState
from pagerd.worker.schedules import SCHEDULES
from pagerd.worker.verdicts import Terms, judged

F = FailureClass
EMAIL = SCHEDULES[Channel.EMAIL]

TABLE = [
    # kind, code, retry after → state, reason class, code, attempts burned, next run (seconds, least and most)
    (F.OK, "250", None, "accepted", None, None, 1, None),
    (F.ALREADY_ACCEPTED, "250", None, "accepted", None, None, 1, None),
    (F.PERMANENT_ADDRESS, "550 5.1.1", None, "failed", "permanent_address", "550 5.1.1", 1, None),
    (F.PERMANENT_CONTENT, "554 5.6.0", None, "failed", "permanent_content", "554 5.6.0", 1, None),
    (F.TRANSIENT, "451 4.3.0", None, "deferred", "transient", "451 4.3.0", 1, (1.0, 61.0)),
    (F.TRANSIENT, "451 4.3.0", 600.0, "deferred", "transient", "451 4.3.0", 1, (600.0, 601.0)),
    (F.THROTTLED, "421 4.7.0", 90.0, "deferred", "throttled", "421 4.7.0", 0, (90.0, 91.0)),
    (F.THROTTLED, "421 4.7.0", None, "deferred", "throttled", "421 4.7.0", 0, (30.0, 31.0)),
    (F.THROTTLED, "421 4.7.0", 0.0, "deferred", "throttled", "421 4.7.0", 0, (1.0, 2.0)),
    (F.THROTTLED, "421 4.7.0", 1e7, "deferred", "throttled", "421 4.7.0", 0, (86_400.0, 86_401.0)),
    (F.PROVIDER_CONFIG, "535 5.7.8", None, "deferred", "provider_config", "535 5.7.8", 0, (60.0, 61.0)),
    (F.NOT_SENT, "fence", None, "pending", None, None, 0, (0.0, 0.0)),
    (F.IN_DOUBT, "no_answer", None, "in_doubt", "in_doubt", "no_answer", 1, (0.0, 0.0)),
    (F.EXPIRED, "", None, "expired", "expired", "expired", 1, None),
]


@pytest.mark.parametrize(("kind", "code", "after", "state", "reason", "said", "attempts", "runs"), TABLE)
async def test_each_outcome_has_its_consequences(
    both: Any,
    kind: F,
    code: str,
    after: float | None,
    state: str,
    reason: str | None,
    said: str | None,
    attempts: int,
    runs: tuple[float, float] | None,
) -> None:
    await both.publish()
    session = await both.admit([{"to": "ada@example.com", "data": {"name": "Ada"}}])
    both.provider.say("ada@example.com", Answer(kind=kind, code=code, retry_after=after, arrives=False))
    (claim,) = await both.claim()
    await both.lane(claim)
    (person,) = await both.people(session)
    assert (person.state, person.attempts) == (state, attempts)
    assert (person.reason and person.reason.reason_class, person.reason and person.reason.code) == (reason, said)
    due = await both.ledger().next_due()
    if runs is None:
        assert due is None
    else:
        low, high = both.clock.now() + runs[0], both.clock.now() + runs[1]
        assert low <= due <= high
    await both.audit()
    # Whatever it was, it goes on to an end by itself.
    for _ in range(3):
        both.clock.advance(86_402.0)
        await both.work()
    assert (await both.view(session)).to_go == 0


@pytest.mark.parametrize("attempt", range(1, 12))
def test_the_waits_follow_the_schedule_with_full_jitter(attempt: int) -> None:
    class Edge:
        """Chance that always draws one end."""

        def __init__(self, high: bool) -> None:
            self.high = high

        def uniform(self, low: float, high: float) -> float:
            return high if self.high else low

        def new_id(self) -> bytes:
            return b""

    waits = [60, 300, 900, 1800, 3600, 7200, 14_400]
    longest = waits[min(attempt, 7) - 1]
    cell = Cell(state=RecipientState.SENDING, attempt=attempt)
    for high, wait in ((True, longest), (False, 1.0)):
        terms = Terms(now=1000.0, give_up_at=1e9, schedule=EMAIL, chance=Edge(high))
        after, why = judged(cell, Outcome(place=0, kind=F.TRANSIENT, code="451"), terms)
        assert after.state is RecipientState.DEFERRED
        assert why is not None
        assert after.not_before == int(1000.0 + wait) + 1
        assert after.attempt == attempt


@pytest.mark.parametrize("kind", [F.TRANSIENT, F.THROTTLED, F.PROVIDER_CONFIG])
def test_what_could_only_be_tried_too_late_expires_now(kind: F) -> None:
    class Far:
        def uniform(self, low: float, high: float) -> float:
            return high

        def new_id(self) -> bytes:
            return b""

    terms = Terms(now=1000.0, give_up_at=1010.0, schedule=EMAIL, chance=Far())
    cell, why = judged(Cell(state=RecipientState.SENDING, attempt=1), Outcome(place=0, kind=kind, code="421"), terms)
    assert cell.state is RecipientState.EXPIRED
    assert why is not None
    assert (why.kind, why.code) == (ReasonClass.EXPIRED, "421")
    assert cell.not_before == 0


async def test_after_three_days_of_trying_a_person_expires(both: Any) -> None:
    await both.publish()
    session = await both.admit([{"to": "ada@example.com", "data": {"name": "Ada"}}])
    both.provider.say("ada@example.com", *[Answer(kind=F.TRANSIENT, code="451 4.2.0", arrives=False)] * 200)
    tries = 0
    while (await both.view(session)).to_go:
        due = await both.ledger().next_due()
        both.clock.advance(max(0.0, (due or both.clock.now()) - both.clock.now()))
        tries += await both.work()
    view = await both.view(session)
    assert view.outcomes["expired"] == 1
    assert view.state == "failed"
    assert 18 <= tries <= 120
    assert both.clock.now() - 1_800_000_000 <= 72 * 3600
