"""A lane, from claim to settle: windows, the barrier, the fence, doubt, stops, and a store that can't be written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.provider import LATER, LOST_ANSWER, LOST_MESSAGE, REFUSED, Answer
from pagerd.core import cells
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Broken, Unavailable
from pagerd.core.outcomes import FailureClass
from pagerd.core.policy import OnDoubt, OnInvalid, Priority
from pagerd.core.requests import ProviderDraft, Redrive
from pagerd.ports.ledger import Said, Want, Write


def row_of(river: Any, session: int = 1, no: int = 1) -> Any:
    return river.store.read(lambda w: w.batches.get(BatchKey(session, no)))


async def test_a_batch_is_told_in_order_and_settled_once(both: Any, between: Any) -> None:
    await both.publish(subject="For {{ name }}", text="Dear {{ name }}")
    session = await both.admit(5)
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    assert [m.to for m in both.provider.arrived] == [f"p{i}@example.com" for i in range(5)]
    assert all(b"Dear N%d" % i in m.body for i, m in enumerate(both.provider.arrived))
    assert [w.state.word for w in between.writes] == ["dispatching", "succeeded"]
    assert between.writes[0].needs_running
    assert (await both.view(session)).state == "completed"
    (done,) = both.watch.done
    assert (done.session, done.people, dict(done.kinds), done.provider) == (session, 5, {"ok": 5}, "mail")


async def test_windows_smaller_than_the_batch_each_have_their_intent_before_their_effect(
    both: Any, between: Any
) -> None:
    await both.publish()
    session = await both.admit(7, batch_size=7)
    both.rooms(window=3, urgent_window=0)
    arrived: list[int] = []
    flush = between.flush

    async def watching(writes: Sequence[Write]) -> list[Said]:
        arrived.append(len(both.provider.arrived))
        return await flush(writes)

    between.flush = watching  # type: ignore[method-assign]
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    sending = [sum(s.word == "sending" for s in cells.states(w.vec)) for w in between.writes]
    assert sending == [3, 0, 3, 0, 1, 0]
    assert arrived == [0, 3, 3, 6, 6, 7]
    assert (await both.view(session)).told == 7
    attempts = await both.store.read(lambda w: w.batches.attempts(BatchKey(1, 1)))
    assert [(token, seq) for token, seq, _ in attempts] == [(1, 0), (1, 1), (1, 2)]


async def test_what_a_provider_can_take_at_once_bounds_the_window(both: Any, between: Any) -> None:
    await both.publish()
    await both.providers.load(1, {"mail": ProviderDraft(kind="memory", settings={"batch": 2})})
    await both.admit(5)
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    assert max(sum(s.word == "sending" for s in cells.states(w.vec)) for w in between.writes) == 2


async def test_a_message_has_a_window_of_one_and_the_urgent_queue(both: Any) -> None:
    await both.publish()
    await both.message("ada@example.com")
    assert await both.ledger().claim(b"worker-a", [Want(priority=Priority.BULK, batches=5)]) == []
    (claim,) = await both.ledger().claim(b"worker-a", [Want(priority=Priority.URGENT, batches=5)])
    await both.lane(claim)
    assert [m.to for m in both.provider.arrived] == ["ada@example.com"]


# -- the prepare barrier ------------------------------------------------------------------------------------------

PICKY = "{% if fussy is defined and fussy %}{{ fussy.nothing.here }}{% endif %}Hello {{ name }}"
VARIABLES = [{"name": "name", "required": True}, {"name": "fussy"}]


async def picky(river: Any, n: int = 5, bad: tuple[int, ...] = (2,), **fields: Any) -> str:
    """Admit people of whom some can't be rendered."""
    await river.publish(text=PICKY, variables=VARIABLES)
    people = [
        {"to": f"p{i}@example.com", "data": {"name": f"N{i}"} | ({"fussy": "x"} if i in bad else {})} for i in range(n)
    ]
    return str(await river.admit(people, **fields))


async def test_one_who_can_t_be_rendered_fails_the_batch_before_anything_leaves(both: Any) -> None:
    session = await picky(both, 10)
    await both.work()
    assert [m.to for m in both.provider.arrived] == [f"p{i}@example.com" for i in range(5, 10)]
    people = await both.people(session)
    assert [p.state for p in people[:5]] == ["rejected"] * 5
    assert [p.reason.code for p in people[:5] if p.reason] == [
        "batch_not_started",
        "batch_not_started",
        "undefined_variable",
        "batch_not_started",
        "batch_not_started",
    ]
    assert [p.reason.retryable for p in people[:5] if p.reason] == [True, True, False, True, True]
    (first, _) = (await both.accounts.batches(_asker(both), session, state=None, limit=5, cursor=None)).items
    assert (first.state, first.effects) == ("failed", "none")
    timeline = await both.accounts.recipient(_asker(both), people[0].id)
    assert "caused by recipient 2" in timeline.attempts[0].text
    assert (await both.view(session)).state == "completed_with_failures"


async def test_under_skip_only_the_one_who_can_t_be_rendered_is_left_out(both: Any) -> None:
    session = await picky(both, 5, (1, 4), on_invalid=OnInvalid.SKIP)
    await both.work()
    assert await both.states(session) == ["accepted", "rejected", "accepted", "accepted", "rejected"]
    assert len(both.provider.arrived) == 3


async def test_a_batch_in_which_nobody_can_be_rendered_ends_under_either_policy(both: Any) -> None:
    one = await picky(both, 2, (0, 1), on_invalid=OnInvalid.SKIP)
    two = await both.admit([{"to": "z@example.com", "data": {"name": "Z", "fussy": "x"}}], on_invalid=OnInvalid.FAIL)
    await both.work()
    assert [(await both.view(s)).state for s in (one, two)] == ["failed", "failed"]
    assert both.provider.arrived == []


async def test_a_shredded_key_rejects_everybody_and_ends(both: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    await both.seal.shred(row.key_id)
    await both.work()
    view = await both.view(session)
    assert (view.state, view.outcomes["rejected"]) == ("failed", 3)
    assert view.reasons[0].code == "key_shredded"


# -- the fence ----------------------------------------------------------------------------------------------------


async def test_a_fallen_fence_leaves_everybody_pending_and_nothing_burned(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    between.lease = both.clock.monotonic() + 4.9  # less than the margin of five seconds
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    people = await both.people(session)
    assert [(p.state, p.attempts, p.possible_duplicate) for p in people] == [("pending", 0, False)] * 3
    assert both.provider.arrived == []
    await both.work()
    assert (await both.view(session)).told == 3
    assert len(both.provider.arrived) == 3


async def test_the_fence_falls_in_the_middle_of_a_window(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(5)
    sent = both.provider._send

    def slow(message: Any, fence: Any) -> Any:
        said = sent(message, fence)
        if len(both.provider.arrived) == 2:
            between.lease = 0.0
        return said

    both.provider._send = slow
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    assert await both.states(session) == ["accepted", "accepted", "pending", "pending", "pending"]
    both.provider._send = sent
    await both.work()
    assert [m.to for m in both.provider.arrived] == [f"p{i}@example.com" for i in range(5)]


# -- doubt --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [LOST_ANSWER, LOST_MESSAGE])
async def test_in_doubt_is_sent_again_and_flagged_before_that(both: Any, between: Any, answer: Answer) -> None:
    await both.publish()
    session = await both.admit(3, on_doubt=OnDoubt.RESEND)
    both.provider.say("p1@example.com", answer)
    tools = both.tools(between)
    (claim,) = await both.claim()
    await both.lane(claim, tools)
    assert (await both.view(session)).in_doubt == 1
    (again,) = await both.claim()
    assert cells.unpack(again.vec)[1].possible_duplicate, "flagged by the claim, before it can be sent again"
    await both.lane(again, tools)
    view = await both.view(session)
    assert (view.state, view.told, view.possible_duplicates) == ("completed", 3, 1)
    keys = {m.key for m in both.provider.arrived if m.to == "p1@example.com"}
    assert len(keys) == 1, "the same Message-ID over attempts"
    assert [p.possible_duplicate for p in await both.people(session)] == [False, True, False]


async def test_under_hold_doubt_stays_unknown_and_is_never_sent_again(both: Any) -> None:
    await both.publish()
    session = await both.admit(3, on_doubt=OnDoubt.HOLD)
    both.provider.say("p1@example.com", LOST_ANSWER)
    await both.work()
    view = await both.view(session)
    assert (view.state, view.told, view.outcomes["unknown"], view.possible_duplicates) == (
        "completed_with_failures",
        2,
        1,
        0,
    )
    assert [m.to for m in both.provider.arrived].count("p1@example.com") == 1


@pytest.mark.parametrize("point", ["K6", "K7", "K8", "K9", "K10", "K11", "K12"])
@pytest.mark.parametrize("policy", [OnDoubt.RESEND, OnDoubt.HOLD])
async def test_a_death_at_any_point_loses_nobody_and_hides_nothing(
    both: Any, rivers: Any, point: str, policy: OnDoubt
) -> None:
    await both.publish()
    both.rooms(window=2, urgent_window=0)
    session = await both.admit(5, on_doubt=policy)
    both.points.kill(point)
    (claim,) = await both.claim(b"worker-a")
    with pytest.raises(rivers.Killed):
        await both.lane(claim)
    await both.audit()
    swept = await both.reclaim(b"worker-b")
    assert swept == (0 if point in ("K11", "K12") else 1)
    await both.work(b"worker-b")
    view = await both.view(session)
    sent: dict[str, int] = {}
    for message in both.provider.arrived:
        sent[message.to] = sent.get(message.to, 0) + 1
    flagged = {p.to for p in await both.people(session) if p.possible_duplicate}
    assert {to for to, n in sent.items() if n > 1} <= flagged
    assert len(flagged) <= 2, "at most one window"
    if policy is OnDoubt.HOLD:
        assert not flagged
        assert all(n == 1 for n in sent.values())
        assert view.told + view.outcomes["unknown"] == 5
    else:
        assert view.told == 5
        assert len(sent) == 5


async def test_a_zombie_s_late_result_lands_in_the_record_only(both: Any) -> None:
    await both.publish()
    session = await both.admit(1)
    both.provider.gate.clear()
    (claim,) = await both.claim(b"worker-a")
    zombie = asyncio.create_task(both.lane(claim, both.tools(both.ledger(b"worker-a"))))
    while (await row_of(both)).state.word != "dispatching":
        await asyncio.sleep(0)
    both.clock.advance(31)
    ledger = both.ledger(b"worker-b")
    await ledger.sweep()
    (again,) = await both.claim(b"worker-b")
    both.provider.say("p0@example.com", REFUSED)
    both.provider.gate.set()
    await zombie
    await both.lane(again, both.tools(ledger))
    (person,) = await both.people(session)
    assert person.state in {"accepted", "failed"}
    timeline = await both.accounts.recipient(_asker(both), person.id)
    assert {a.token for a in timeline.attempts} == {claim.token, again.token}


# -- stopping, pausing, cancelling ----------------------------------------------------------------------------------


async def test_a_stop_in_the_middle_gives_the_rest_back_without_a_loss(both: Any) -> None:
    await both.publish()
    session = await both.admit(5)
    both.provider.gate.clear()
    tools = both.tools()
    (claim,) = await both.claim()
    running = asyncio.create_task(both.lane(claim, tools))
    while (await row_of(both)).state.word != "dispatching":
        await asyncio.sleep(0)
    tools.stopping.set()
    both.provider.gate.set()
    await running
    row = await row_of(both)
    assert (row.state.word, row.losses) == ("waiting", 0)
    assert await both.states(session) == ["pending"] * 5
    await both.work(b"worker-b")
    assert (await both.view(session)).told == 5
    assert (await both.view(session)).possible_duplicates == 0


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_pause_and_cancel_act_at_the_next_intent(both: Any, verb: str) -> None:
    await both.publish()
    both.rooms(window=2, urgent_window=0)
    session = await both.admit(7, batch_size=7)
    both.provider.gate.clear()
    (claim,) = await both.claim()
    running = asyncio.create_task(both.lane(claim))
    while (await row_of(both)).state.word != "dispatching":
        await asyncio.sleep(0)
    act = (
        both.control.pause(_asker(both), session, None)
        if verb == "pause"
        else both.control.cancel(_asker(both), session)
    )
    await act
    both.provider.gate.set()
    await running
    await both.audit()
    assert len(both.provider.arrived) == 2, "what was under way ended; nothing new left"
    await both.chores()
    assert await both.work() == 0
    view = await both.view(session)
    if verb == "cancel":
        assert (view.state, view.told, view.outcomes["cancelled"]) == ("cancelled", 2, 5)
        return
    assert (view.state, view.told, view.to_go) == ("paused", 2, 5)
    await both.control.resume(_asker(both), session)
    await both.chores()
    await both.work()
    assert (await both.view(session)).told == 7
    assert len(both.provider.arrived) == 7


async def test_an_expiry_is_seen_at_the_intent_even_before_the_housekeeper_is(both: Any) -> None:
    await both.publish()
    session = await both.admit(3, ttl=60)
    (claim,) = await both.claim()
    both.clock.advance(61)
    await both.lane(claim)
    assert both.provider.arrived == []
    await both.chores()
    await both.chores()
    view = await both.view(session)
    assert (view.state, view.outcomes["expired"]) == ("expired", 3)


# -- a store that can't be written ----------------------------------------------------------------------------------


async def test_nothing_leaves_while_the_intent_can_t_be_written(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    between.fail = 3
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    assert between.failed == 3
    assert len(both.watch.troubles) == 3
    assert (await both.view(session)).told == 3
    assert len(both.provider.arrived) == 3


async def test_what_was_said_is_not_forgotten_while_the_outcome_can_t_be_written(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    real = between.flush

    async def after_the_intent(writes: Sequence[Write]) -> list[Said]:
        said = await real(writes)
        if writes[0].needs_running:
            between.fail = 4
        return said

    between.flush = after_the_intent  # type: ignore[method-assign]
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    view = await both.view(session)
    assert between.failed == 4
    assert (view.state, view.told, view.possible_duplicates) == ("completed", 3, 0)


async def test_a_reason_nobody_heard_of_yet_is_no_loss_when_the_store_can_t_number_it_at_once(both: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    both.provider.say("p1@example.com", Answer(kind=FailureClass.PERMANENT_ADDRESS, code="550 5.9.9", arrives=False))
    number, failures = both.book.number, 2

    async def failing(reason: Any) -> int:
        nonlocal failures
        if reason.code == "550 5.9.9" and failures:
            failures -= 1
            raise Unavailable("the disk is full", code="disk_full")
        return int(await number(reason))

    both.book.number = failing
    await both.work()
    view = await both.view(session)
    assert not failures
    assert (view.told, view.outcomes["failed"], view.possible_duplicates) == (2, 1, 0)
    assert len(both.provider.arrived) == 2


async def test_a_stop_while_the_store_can_t_be_written_sends_nothing(both: Any, between: Any) -> None:
    await both.publish()
    await both.admit(3)
    between.fail = 10**6
    tools = both.tools(between)
    (claim,) = await both.claim()
    running = asyncio.create_task(both.lane(claim, tools))
    while between.failed < 3:
        await asyncio.sleep(0)
    tools.stopping.set()
    await asyncio.wait_for(running, 2)
    assert both.provider.arrived == []
    await both.reclaim(b"worker-b")
    assert await both.work(b"worker-b") == 1
    assert len(both.provider.arrived) == 3


async def test_a_lost_batch_is_given_back_as_soon_as_that_can_be_written(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    between.errors = [Broken("a page is damaged")] * 3  # the intent fails, then the give-back, twice
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    assert between.errors == []
    row = await both.store.read(lambda w: w.batches.get(claim.key))
    assert (row.state.word, row.losses) == ("waiting", 1), "not claimed by a lane that forgot it"
    both.clock.advance(2)
    await both.work()
    assert (await both.view(session)).told == 3


async def test_a_stop_does_not_wait_for_a_give_back_that_can_t_be_written(both: Any, between: Any) -> None:
    await both.publish()
    await both.admit(3)
    between.errors = [Broken("a page is damaged")] * 1000
    tools = both.tools(between)
    (claim,) = await both.claim()
    running = asyncio.create_task(both.lane(claim, tools))
    while len(between.errors) > 990:
        await asyncio.sleep(0)
    tools.stopping.set()
    await asyncio.wait_for(running, 2)


# -- providers --------------------------------------------------------------------------------------------------


async def test_an_open_breaker_and_a_pause_burn_no_attempt(both: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    await both.providers.pause(_asker(both), "mail", "quota")
    for _ in range(5):
        assert await both.work() == 1
        both.clock.advance(6.0)
    assert [(p.state, p.attempts) for p in await both.people(session)] == [("pending", 0)] * 3
    await both.providers.resume(_asker(both), "mail")
    await both.work()
    assert (await both.view(session)).told == 3


async def test_whom_no_provider_could_be_tried_for_expires_when_the_schedule_does(both: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    await both.providers.pause(_asker(both), "mail", "quota")
    await both.work()
    both.clock.advance(72 * 3600 - 10)
    await both.work()
    assert await both.states(session) == ["pending"] * 3
    both.clock.advance(11)
    await both.work()
    view = await both.view(session)
    assert (view.state, view.outcomes["expired"], view.told) == ("failed", 3, 0)
    assert [(r.reason_class, r.code, r.retryable) for r in view.reasons] == [("expired", "provider_unavailable", True)]
    await both.audit()
    await both.providers.resume(_asker(both), "mail")
    await both.control.redrive(_asker(both), session, Redrive())
    await both.chores()
    await both.work()
    assert (await both.view(session)).told == 3


async def test_whoever_may_have_been_told_is_unknown_when_the_provider_stays_away(both: Any, between: Any) -> None:
    await both.publish()
    session = await both.admit(2)
    both.provider.say("p0@example.com", LOST_ANSWER)
    (claim,) = await both.claim()
    await both.lane(claim, both.tools(between))
    await both.providers.pause(_asker(both), "mail", "quota")
    both.clock.advance(72 * 3600 + 1)
    await both.work()
    assert [(p.state, p.possible_duplicate) for p in await both.people(session)] == [
        ("unknown", True),
        ("accepted", False),
    ]
    await both.audit()


async def test_a_late_batch_whose_provider_is_well_is_sent(both: Any) -> None:
    await both.publish()
    session = await both.admit(3)
    both.clock.advance(73 * 3600)
    await both.work()
    assert (await both.view(session)).told == 3


async def test_a_throttled_provider_is_left_alone_by_everybody(both: Any) -> None:
    await both.publish()
    session = await both.admit(20)
    both.provider.say(
        "p0@example.com", Answer(kind=FailureClass.THROTTLED, code="421 4.7.0", retry_after=120.0, arrives=False)
    )
    (first, *_) = await both.claim(n=1)
    await both.lane(first)
    await both.work()
    assert len(both.provider.arrived) == 4, "the rest of the window that was under way"
    both.clock.advance(119.0)
    await both.work()
    assert len(both.provider.arrived) == 4
    both.clock.advance(3.0)
    await both.work()
    assert (await both.view(session)).told == 20


async def test_without_a_provider_a_batch_waits(both: Any) -> None:
    await both.publish()
    session = await both.admit(2)
    await both.providers.load(1, {"mail": ProviderDraft(kind="memory", enabled=False)})
    await both.work()
    assert (await both.view(session)).to_go == 2
    await both.providers.load(1, {"mail": ProviderDraft(kind="memory")})
    both.clock.advance(5.0)
    await both.work()
    assert (await both.view(session)).told == 2


async def test_deferred_people_are_tried_again_without_the_settled_ones(both: Any) -> None:
    await both.publish()
    session = await both.admit(5)
    both.provider.say("p3@example.com", LATER, LATER)
    both.provider.say("p1@example.com", REFUSED)
    await both.work()
    assert await both.states(session) == ["accepted", "failed", "accepted", "deferred", "accepted"]
    both.clock.advance(62)
    await both.work()
    both.clock.advance(302)
    await both.work()
    assert await both.states(session) == ["accepted", "failed", "accepted", "accepted", "accepted"]
    assert len(both.provider.arrived) == 4
    assert (await both.people(session))[3].attempts == 3
    assert (await row_of(both)).state.word == "failed"


async def test_a_provider_that_breaks_its_promise_is_a_loss_and_not_the_end(both: Any) -> None:
    await both.publish()
    session = await both.admit(2)
    send, angry = both.provider.send, [True, True]

    async def raising(messages: Any, fence: Any) -> Any:
        if angry:
            angry.pop()
            raise RuntimeError("a bug")
        return await send(messages, fence)

    both.provider.send = raising
    for _ in range(6):
        await both.work()
        both.clock.advance(1.1)
    view = await both.view(session)
    assert (view.told, view.possible_duplicates) == (2, 2)
    assert (await row_of(both)).losses == 2


async def test_a_lane_tells_its_watch_about_every_claim(both: Any) -> None:
    await both.publish()
    await both.admit(4, batch_size=2)
    both.provider.say("p0@example.com", LATER)
    await both.work()
    assert sorted((d.no, d.state.word, dict(d.kinds)["ok"]) for d in both.watch.done) == [
        (1, "waiting", 1),
        (2, "succeeded", 2),
    ]
    assert msgspec.json.encode(both.watch.done).find(b"@") == -1


def _asker(river: Any) -> Any:
    from pagerd.core.requests import Asker

    return Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
