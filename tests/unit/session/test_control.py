"""Pause, resume, cancel, expiry and redrive at every moment of a session, with everything recounted after each step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagerd.adapters.memory.provider import LATER, LOST_ANSWER, REFUSED, Answer
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Conflict, Gone, Invalid, Missing, WrongState
from pagerd.core.outcomes import FailureClass
from pagerd.core.policy import OnDoubt, OnInvalid
from pagerd.core.requests import Asker, Redrive, Retry
from pagerd.session import chores, housekeeping
from pagerd.session.restored import REASON, pause_everything

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
CONTENT = Answer(kind=FailureClass.PERMANENT_CONTENT, code="554 5.6.0", arrives=False)
MOMENTS = ["fresh", "some told", "claimed", "dispatching", "waiting", "in doubt", "part refused", "scheduled"]


@pytest.fixture(autouse=True)
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chores do two rows at a time, so that they take several transactions even here."""
    monkeypatch.setattr(chores, "_AT_ONCE", 2)


class Moment:
    """A session of 30 people brought to a moment; ``on`` lets what is under way end."""

    def __init__(self, river: Any) -> None:
        self.river = river
        self.session = ""
        self.lanes: list[asyncio.Task[None]] = []
        self.claims: list[Any] = []

    async def come(self, name: str, **fields: Any) -> None:
        river = self.river
        await river.publish()
        people: list[Any] = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(30)]
        people[8], people[29] = people[3], people[0]  # duplicates: one in a batch that is claimed, one in the last
        people[12] = {"to": "broken", "data": {"name": "x"}}
        for i in range(20, 25):
            people[i] = people[1]  # a whole batch that is settled at the door
        send_at = river.clock.now() + 100 if name == "scheduled" else None
        self.session = await river.admit(people, on_invalid=OnInvalid.SKIP, send_at=send_at, **fields)
        await getattr(self, "_" + name.replace(" ", "_"))()
        await river.audit()

    async def _fresh(self) -> None:
        pass

    async def _scheduled(self) -> None:
        pass

    async def _some_told(self) -> None:
        for claim in await self.river.claim(n=2):
            await self.river.lane(claim)

    async def _claimed(self) -> None:
        self.claims = await self.river.claim(n=2)

    async def _dispatching(self) -> None:
        self.river.provider.gate.clear()
        tools = self.river.tools()
        for claim in await self.river.claim(n=2):
            self.lanes.append(asyncio.create_task(self.river.lane(claim, tools)))
        for no in (1, 2):
            while (
                await self.river.store.read(lambda w, n=no: w.batches.get(BatchKey(1, n)))
            ).state.word != "dispatching":
                await asyncio.sleep(0)

    async def _waiting(self) -> None:
        for i in (0, 2, 4, 6):
            self.river.provider.say(f"p{i}@example.com", LATER)
        await self._some_told()

    async def _in_doubt(self) -> None:
        self.river.provider.say("p2@example.com", LOST_ANSWER)
        self.river.provider.say("p6@example.com", LOST_ANSWER)
        await self._some_told()

    async def _part_refused(self) -> None:
        self.river.provider.say("p2@example.com", REFUSED)
        self.river.provider.say("p6@example.com", CONTENT)
        await self._some_told()

    async def on(self) -> None:
        """Let whoever is under way come to an end, and the housekeeper do what is due."""
        river = self.river
        river.provider.gate.set()
        await asyncio.gather(*self.lanes)
        for claim in self.claims:
            await river.lane(claim)
        self.lanes, self.claims = [], []
        await river.audit()
        for _ in range(3):
            await river.chores()
            await river.audit()

    async def end(self) -> Any:
        """Work until the session is over; return its view."""
        river = self.river
        for _ in range(8):
            await river.chores()
            await river.work()
            await river.audit()
            river.clock.advance(700)
        return await river.view(self.session)


@pytest.fixture
def moment(both: Any) -> Moment:
    return Moment(both)


def once(river: Any, but: set[str] = frozenset()) -> None:
    """Assert that nobody got anything twice."""
    sent = [m.to for m in river.provider.arrived if m.to not in but]
    assert len(sent) == len(set(sent))


@pytest.mark.parametrize("name", MOMENTS)
async def test_a_paused_session_sends_nothing_and_goes_on_where_it_was(both: Any, moment: Moment, name: str) -> None:
    await moment.come(name)
    before = (await both.view(moment.session)).state
    view = await both.control.pause(ASKER, moment.session, "look at it")
    assert (view.state, view.pause_reason) == ("paused", "look at it")
    assert (await both.control.pause(ASKER, moment.session, "again")).pause_reason == "look at it"
    await both.audit()
    await moment.on()
    arrived = len(both.provider.arrived)
    both.clock.advance(700)
    await both.chores()
    assert await both.work() == 0
    assert len(both.provider.arrived) == arrived
    view = await both.control.resume(ASKER, moment.session)
    assert view.state == ("ready" if name == "scheduled" else before)
    assert (await both.control.resume(ASKER, moment.session)).state == view.state
    view = await moment.end()
    assert view.state in ("completed_with_failures", "completed")
    assert view.to_go == view.in_doubt == 0
    assert view.withheld == 7
    once(both, {"p2@example.com", "p6@example.com"} if name == "in doubt" else set())


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("how", ["cancel", "expire"])
async def test_a_closed_session_tells_nobody_more_and_counts_at_once(
    both: Any, moment: Moment, name: str, how: str
) -> None:
    await moment.come(name, ttl=300)
    if how == "cancel":
        view = await both.control.cancel(ASKER, moment.session)
        assert (await both.control.cancel(ASKER, moment.session)).state == "cancelled"
    else:
        both.clock.advance(401)
        await both.chores()
        view = await both.view(moment.session)
    word = "cancelled" if how == "cancel" else "expired"
    assert view.state == word
    assert view.outcomes[word] >= 10, "the fresh range counts at once"
    await both.audit()
    arrived = len(both.provider.arrived)
    await moment.on()
    told = len(both.provider.arrived)
    assert told <= arrived + 10, "only what was under way"
    both.clock.advance(700)
    assert await both.work() == 0
    view = await both.view(moment.session)
    assert (view.state, view.to_go, view.in_doubt) == (word, 0, 0)
    assert view.withheld == 7
    assert view.outcomes["rejected"] == 1
    assert sum(view.batches[s] for s in ("ready", "waiting", "dispatching")) == 0
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert row.chores is None
    people = await both.people(moment.session, state=word)
    assert len(people) == view.outcomes[word]
    assert {p.reason.reason_class for p in people if p.reason} == {word}


@pytest.mark.parametrize("how", ["cancel", "expire"])
@pytest.mark.parametrize("again", ["claimed", "deferred"])
async def test_who_waits_flagged_for_the_resend_ends_unknown_and_not_as_if_never_told(
    both: Any, how: str, again: str
) -> None:
    await both.publish()
    session = await both.admit(2, ttl=300)
    both.provider.say("p0@example.com", LOST_ANSWER, LATER)
    (claim,) = await both.claim()
    await both.lane(claim)
    (claim,) = await both.claim()
    if again == "deferred":
        await both.lane(claim)
    assert [p.possible_duplicate for p in await both.people(session)] == [True, False]
    assert (await both.states(session))[0] == ("pending" if again == "claimed" else "deferred")
    if how == "cancel":
        await both.control.cancel(ASKER, session)
    else:
        both.clock.advance(301)
        await both.chores()
    if again == "claimed":
        await both.lane(claim)
    await both.chores()
    await both.audit()
    view = await both.view(session)
    assert (view.outcomes["unknown"], view.outcomes["accepted"], view.possible_duplicates) == (1, 1, 1)
    first = (await both.people(session))[0]
    assert first.possible_duplicate
    assert (first.reason.reason_class, first.reason.code) == ("unknown", "held_in_doubt")
    assert view.batches["failed"] == 1


@pytest.mark.parametrize("name", MOMENTS)
async def test_a_cancelled_session_can_be_run_again(both: Any, moment: Moment, name: str) -> None:
    await moment.come(name)
    await both.control.cancel(ASKER, moment.session)
    await moment.on()
    told = (await both.view(moment.session)).told
    view = await both.control.redrive(ASKER, moment.session, Redrive())
    assert (view.state, view.round) == ("running", 2)
    await both.audit()
    view = await moment.end()
    assert view.told > told
    assert view.outcomes["cancelled"] == 0
    assert view.state == "completed_with_failures", "one address is broken"
    once(both)


async def test_a_batch_that_was_never_claimed_belongs_to_the_round_in_which_it_is(both: Any, moment: Moment) -> None:
    await moment.come("fresh")
    await both.control.cancel(ASKER, moment.session)
    await moment.on()
    await both.control.redrive(ASKER, moment.session, Redrive())
    claims = await both.claim(n=8)
    assert [claim.round for claim in claims] == [2] * 5
    for claim in claims:
        row = await both.store.read(lambda w, key=claim.key: w.batches.get(key))
        assert row.round == 2
        await both.lane(claim)
    await moment.end()


@pytest.mark.parametrize("first", ["cancel", "expire"])
@pytest.mark.parametrize("second", ["cancel", "expire"])
@pytest.mark.parametrize("wanted", [Redrive(state="failed"), Redrive(), Redrive(state="rejected")])
async def test_closing_redriving_and_closing_again_counts_right(
    both: Any, moment: Moment, first: str, second: str, wanted: Redrive
) -> None:
    async def close(how: str) -> None:
        if how == "cancel":
            await both.control.cancel(ASKER, moment.session)
        else:
            both.clock.advance(400)
            await both.chores()
        await both.audit()

    await moment.come("part refused", ttl=300)
    await close(first)
    await moment.on()
    until = None if second == "cancel" else both.clock.now() + 300
    wanted = Redrive(state=wanted.state, expires_at=until)
    await both.control.redrive(ASKER, moment.session, wanted)
    await both.audit()
    await close(second)
    await moment.on()
    view = await both.view(moment.session)
    assert view.state == ("cancelled" if second == "cancel" else "expired")
    assert view.to_go == 0
    await both.control.redrive(ASKER, moment.session, Redrive())
    view = await moment.end()
    assert (view.outcomes["cancelled"], view.outcomes["expired"]) == (0, 0)
    once(both)


@pytest.mark.parametrize("wanted", [Redrive(state="failed"), Redrive(state="rejected"), Redrive(code="nothing")])
async def test_a_redrive_that_finds_nobody_ends_again(both: Any, moment: Moment, wanted: Redrive) -> None:
    await moment.come("fresh")
    await both.control.cancel(ASKER, moment.session)
    await moment.on()
    await both.control.redrive(ASKER, moment.session, wanted)
    view = await moment.end()
    assert view.state == "failed"
    assert view.outcomes["cancelled"] == 22
    assert both.provider.arrived == []


async def refused_in_many_ways(river: Any) -> str:
    """Return a finished session with people in every state that ends."""
    await river.publish()
    people: list[Any] = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(12)]
    people[11] = {"to": "broken", "data": {"name": "x"}}
    session = await river.admit(people, on_invalid=OnInvalid.SKIP, on_doubt=OnDoubt.HOLD, batch_size=3)
    river.provider.say("p1@example.com", REFUSED)
    river.provider.say("p4@example.com", CONTENT)
    river.provider.say("p5@example.com", LOST_ANSWER)
    for to in ("p7@example.com", "p8@example.com"):
        river.provider.say(to, Answer(kind=FailureClass.EXPIRED, code="too_late", arrives=False))
    await river.work()
    await river.audit()
    return str(session)


REDRIVES = [
    (Redrive(), {7, 8}),
    (Redrive(state="expired"), {7, 8}),
    (Redrive(reason_class="expired"), {7, 8}),
    (Redrive(code="too_late"), {7, 8}),
    (Redrive(code="550 5.1.1", force=True), {1}),
    (Redrive(state="failed", force=True), {1, 4}),
    (Redrive(reason_class="permanent_content", force=True), {4}),
    (Redrive(state="unknown"), {5}),
    (Redrive(force=True), {1, 4, 7, 8}),
    (Redrive(state="failed"), set()),
    (Redrive(code="550 5.1.1"), set()),
    (Redrive(state="rejected"), set()),
]


@pytest.mark.parametrize(("wanted", "whom"), REDRIVES)
async def test_a_redrive_takes_whom_it_was_told_and_nobody_else(both: Any, wanted: Redrive, whom: set[int]) -> None:
    session = await refused_in_many_ways(both)
    before = len(both.provider.arrived)
    states = await both.states(session)
    view = await both.control.redrive(ASKER, session, wanted)
    assert (view.state, view.round) == ("running", 2)
    await both.chores()
    await both.audit()
    await both.work()
    await both.audit()
    view = await both.view(session)
    assert view.state == "completed_with_failures"
    assert {m.to for m in both.provider.arrived[before:]} == {f"p{i}@example.com" for i in whom}
    now = await both.states(session)
    assert now == ["accepted" if i in whom else state for i, state in enumerate(states)]
    flagged = [i for i, p in enumerate(await both.people(session)) if p.possible_duplicate]
    assert flagged == ([5] if 5 in whom else []), "who may have been told before is flagged"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Redrive(state="accepted"), "state_not_redrivable"),
        (Redrive(state="suppressed"), "state_not_redrivable"),
        (Redrive(state="nonsense"), "state_not_redrivable"),
        (Redrive(reason_class="permanent_address"), "force_needed"),
        (Redrive(expires_at=1_700_000_000.0), "expired_already"),
    ],
)
async def test_what_a_redrive_may_not_take(river: Any, wanted: Redrive, code: str) -> None:
    session = await refused_in_many_ways(river)
    with pytest.raises(Invalid) as error:
        await river.control.redrive(ASKER, session, wanted)
    assert error.value.faults[0].code == code
    assert (await river.view(session)).round == 1


async def test_a_redriven_session_begins_its_schedule_anew(both: Any) -> None:
    session = await refused_in_many_ways(both)
    both.clock.advance(80 * 3600)
    await both.control.redrive(ASKER, session, Redrive())
    await both.chores()
    both.provider.say("p7@example.com", LATER)
    await both.work()
    assert (await both.states(session))[7] == "deferred"
    both.clock.advance(70)
    await both.work()
    assert (await both.states(session))[7] == "accepted"


async def test_while_a_session_is_still_being_ended_it_can_t_be_redriven(both: Any, moment: Moment) -> None:
    await moment.come("dispatching")
    await both.control.cancel(ASKER, moment.session)
    with pytest.raises(Conflict) as error:
        await both.control.redrive(ASKER, moment.session, Redrive())
    assert (error.value.code, error.value.retry_after) == ("still_ending", 1)
    await moment.on()
    assert (await both.control.redrive(ASKER, moment.session, Redrive())).state == "running"
    await moment.end()


async def test_chores_go_on_after_a_death_and_can_be_repeated(both: Any, moment: Moment) -> None:
    for i in range(1, 20, 3):
        both.provider.say(f"p{i}@example.com", LATER)
    await moment.come("fresh")
    await both.work()
    work, left = both.store.work, 0

    async def mortal(change: Any) -> Any:
        nonlocal left
        if not left:
            raise asyncio.CancelledError
        left -= 1
        return await work(change)

    await both.control.cancel(ASKER, moment.session)
    both.store.work = mortal
    deaths = 0
    for steps in range(1, 20):
        left = steps
        try:
            await both.housekeeper.pulse()
        except asyncio.CancelledError:
            deaths += 1
        both.store.work = work
        await both.audit()
        both.store.work = mortal
    both.store.work = work
    assert deaths > 1
    view = await both.view(moment.session)
    assert (view.state, view.to_go) == ("cancelled", 0)


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "redrive"])
async def test_what_a_state_does_not_allow_says_which_state_it_is(river: Any, verb: str) -> None:
    await river.publish()
    session = await river.admit(2)
    act: Any = {
        "pause": lambda: river.control.pause(ASKER, session, None),
        "resume": lambda: river.control.resume(ASKER, session),
        "cancel": lambda: river.control.cancel(ASKER, session),
        "redrive": lambda: river.control.redrive(ASKER, session, Redrive()),
    }[verb]
    current = "ready"
    if verb != "redrive":
        await river.work()
        current = "completed"
    with pytest.raises(WrongState) as error:
        await act()
    assert error.value.current == current


async def test_a_pause_of_a_staged_session_makes_no_sense_and_a_cancel_does(river: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    with pytest.raises(WrongState):
        await river.control.pause(ASKER, session, None)
    assert (await river.control.cancel(ASKER, session)).state == "cancelled"
    await river.chores()


async def test_sessions_of_others_are_not_there(river: Any) -> None:
    await river.publish()
    session = await river.admit(1)
    stranger = Asker(workspace=2, key=b"s" * 16)
    for act in (river.control.cancel, river.control.resume):
        with pytest.raises(Missing):
            await act(stranger, session)
    with pytest.raises(Missing):
        await river.control.redrive(stranger, session, Redrive())


async def test_a_session_that_ends_while_it_is_paused_is_over(both: Any) -> None:
    await both.publish()
    session = await both.admit(2)
    both.provider.gate.clear()
    (claim,) = await both.claim()
    running = asyncio.create_task(both.lane(claim))
    while (await both.store.read(lambda w: w.batches.get(BatchKey(1, 1)))).state.word != "dispatching":
        await asyncio.sleep(0)
    await both.control.pause(ASKER, session, None)
    both.provider.gate.set()
    await running
    assert (await both.view(session)).state == "completed"


async def test_many_waiting_batches_of_a_paused_session_stand_in_nobody_s_way(both: Any) -> None:
    await both.publish()
    paused = await both.admit(20, batch_size=1)
    other = await both.admit([{"to": "late@example.com", "data": {"name": "x"}}])
    for to in [f"p{i}@example.com" for i in range(20)] + ["late@example.com"]:
        both.provider.say(to, LATER)
    await both.work()
    await both.control.pause(ASKER, paused, None)
    both.clock.advance(70)
    claims = await both.claim(n=2)
    assert [claim.key.session for claim in claims] == [2]
    await both.ledger().renew(b"worker-a")
    await both.lane(claims[0])
    assert (await both.view(other)).told == 1
    await both.control.resume(ASKER, paused)
    await both.chores()
    await both.work()
    assert (await both.view(paused)).told == 20


# -- keys and restores ----------------------------------------------------------------------------------------------


async def test_keys_are_shredded_so_many_days_after_the_end(both: Any) -> None:
    session = await refused_in_many_ways(both)
    both.clock.advance(29 * 86_400)
    await both.housekeeper.seldom()
    assert len(await both.people(session)) == 12
    both.clock.advance(2 * 86_400)
    await both.housekeeper.seldom()
    with pytest.raises(Gone):
        await both.people(session)
    view = await both.view(session)
    assert (view.told, view.metadata) == (6, {})
    with pytest.raises(Gone):
        await both.control.redrive(ASKER, session, Redrive())
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert row.settled_key
    assert await both.keystore.get(row.key_id) is None


async def test_an_answer_goes_with_the_key_that_sealed_it(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_ANSWERS_AT_ONCE", 2)
    await both.publish()
    retries = [Retry(key=f"order-{n}", body=b"{}") for n in range(5)]
    for retry in retries[:4]:
        await both.admit(1, retry=retry)
    await both.work()
    both.clock.advance(20 * 86_400)
    await both.admit(1, retry=retries[4])
    both.clock.advance(11 * 86_400)
    for _ in range(4):
        await both.housekeeper.seldom()
    left = await both.store.read(lambda w: w.idempotency.lasting((0, False, b""), 10))
    assert len(left) == 1, "only the one whose session can still be asked about"
    answers = both.desk.answers
    assert (await answers.earlier(ASKER, retries[4])).status == 202
    assert await answers.earlier(ASKER, retries[0]) is None


async def test_a_key_that_messages_share_stays_until_the_last_of_them(both: Any) -> None:
    await both.publish()
    first = await both.message("a@example.com")
    await both.work()
    later = await both.message("b@example.com")
    both.provider.say("b@example.com", *[LATER] * 500)
    both.clock.advance(20 * 86_400)
    await both.work()
    both.clock.advance(20 * 86_400)
    await both.housekeeper.seldom()
    assert (await both.accounts.recipient(ASKER, later)).recipient.to == "b@example.com"
    both.clock.advance(31 * 86_400)
    await both.work()
    both.clock.advance(31 * 86_400)
    await both.housekeeper.seldom()
    for rcp in (first, later):
        with pytest.raises(Gone):
            await both.accounts.recipient(ASKER, rcp)


async def test_a_key_without_a_session_is_reaped_and_no_other(both: Any) -> None:
    await both.publish()
    await both.admit(2)
    await both.admit(None)
    orphan = await both.seal.new_session_key()
    both.clock.advance(5 * 3600)
    await both.housekeeper.seldom()
    assert await both.keystore.get(orphan.id) is not None
    both.clock.advance(2 * 3600)
    fresh = await both.seal.new_session_key()
    await both.housekeeper.seldom()
    assert await both.keystore.get(orphan.id) is None
    assert await both.keystore.get(fresh.id) is not None
    for row in await both.store.read(lambda w: w.sessions.next_after(0, 10)):
        assert await both.keystore.get(row.key_id) is not None


async def test_a_death_between_giving_a_key_up_and_shredding_it_is_made_good(both: Any) -> None:
    await both.publish()
    await both.admit(1)
    await both.work()
    both.clock.advance(31 * 86_400)
    shred, row = both.seal.shred, await both.store.read(lambda w: w.sessions.by_number(1))

    async def dies(key_id: bytes) -> None:
        raise asyncio.CancelledError

    both.seal.shred = dies
    with pytest.raises(asyncio.CancelledError):
        await both.housekeeper.seldom()
    both.seal.shred = shred
    await both.housekeeper.seldom()
    assert await both.keystore.get(row.key_id) is None


async def test_after_a_restore_everything_unfinished_is_paused(both: Any) -> None:
    await both.publish()
    done = await both.admit(1)
    await both.work()
    sessions = [await both.admit(3), await both.admit(3, send_at=both.clock.now() + 50)]
    staged = await both.admit(None)
    message = await both.message()
    paused = await both.admit(2)
    await both.control.pause(ASKER, paused, "mine")
    assert await pause_everything(both.store) == 3
    assert await pause_everything(both.store) == 0
    for session in sessions:
        view = await both.view(session)
        assert (view.state, view.pause_reason) == ("paused", REASON)
    assert (await both.view(paused)).pause_reason == "mine"
    assert [(await both.view(s)).state for s in (done, staged)] == ["completed", "staging"]
    both.clock.advance(100)
    await both.chores()
    assert await both.work() == 0
    assert (await both.accounts.recipient(ASKER, message)).session_state == "paused"
    for session in sessions:
        await both.control.resume(ASKER, session)
    await both.chores()
    await both.work()
    assert [(await both.view(s)).told for s in sessions] == [3, 3]
