"""The relay: what it publishes, how far, in which order, and what a death or an outage leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pagerd.adapters.memory.queue import MemoryQueue
from pagerd.core.batches import BatchKey
from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.core.requests import Asker
from pagerd.core.states import BatchState, SessionState
from pagerd.ports.ledger import Want
from pagerd.ports.queue import Delivery, Parcel
from pagerd.session import relay as relaying
from pagerd.session import spans
from pagerd.session.turns import Turn

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
U, B = Priority.URGENT, Priority.BULK


async def relayed(river: Any, relay: Any = None) -> None:
    """Let a relay publish until there is nothing more to do at this moment."""
    relay = relay or river.relay()
    while not await relay.pulse():
        pass


def waiting(river: Any, priority: Priority = B) -> int:
    return len(river.broker.waiting[priority])


async def records(river: Any, priority: Priority = B) -> list[Delivery]:
    """Take all that waits, as a worker that dies."""
    n = waiting(river, priority)
    return list(await river.queue().take(priority, n)) if n else []


async def tell(river: Any, found: Sequence[Delivery], worker: bytes = b"worker-a") -> int:
    """Work the batches that came; return how many could be claimed."""
    claims = await river.ledger(worker).take(worker, [delivery.arrival for delivery in found])
    for claim in claims:
        if claim is not None:
            await river.lane(claim)
    return sum(claim is not None for claim in claims)


async def lost(river: Any, before: float) -> list[Any]:
    want = Want(priority=B, batches=5000, fresh=False, published_before=before)
    claims: list[Any] = await river.ledger().claim(b"worker-a", [want])
    return claims


def told(river: Any) -> list[str]:
    return sorted(message.to for message in river.provider.arrived)


async def test_batches_go_out_whole_and_the_session_runs(both: Any) -> None:
    await both.publish()
    session = await both.admit(12)
    await relayed(both)
    found = await records(both)
    assert [d.arrival.key for d in found] == [BatchKey(1, no) for no in (1, 2, 3)]
    assert [d.arrival.n for d in found] == [5, 5, 2]
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert {d.arrival.session_id for d in found} == {row.id}
    assert (row.state, row.started_at, row.next_no) == (SessionState.RUNNING, both.clock.now(), 4)
    batch = await both.store.read(lambda w: w.batches.get(BatchKey(1, 3)))
    assert (batch.state, batch.token, batch.published_at, len(batch.vec)) == (
        BatchState.READY,
        0,
        both.clock.now(),
        20,
    )
    assert await tell(both, found) == 3
    view = await both.view(session)
    assert (view.state, view.told) == ("completed", 12)


async def test_messages_go_by_the_urgent_queue(both: Any) -> None:
    await both.publish()
    await both.admit(1)
    await both.message()
    await relayed(both)
    assert (waiting(both, U), waiting(both, B)) == (1, 1)


async def test_sessions_take_turns(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "_AT_ONCE", 6)
    await both.publish()
    for people in (40, 10, 3):
        await both.admit(people, batch_size=1)
    await both.relay().pulse()
    assert [d.arrival.key.session for d in await records(both)] == [1, 1, 2, 2, 3, 3]


async def test_more_sessions_than_one_round_has_room_for(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_SESSIONS", 2)
    monkeypatch.setattr(relaying, "_AT_ONCE", 2)
    await both.publish()
    for _ in range(5):
        await both.admit(3, batch_size=1)
    relay = both.relay()
    for _ in range(3):
        await relay.pulse()
    assert [d.arrival.key.session for d in await records(both)] == [1, 2, 3, 4, 5, 1]


async def test_no_further_ahead_than_allowed(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "AHEAD", 10)
    await both.publish()
    await both.admit(50, batch_size=1)
    relay = both.relay()
    while await relay.pulse() == 0.0:
        pass
    assert waiting(both) == 10
    assert await tell(both, (await records(both))[:4]) == 4
    while await relay.pulse() == 0.0:
        pass
    assert waiting(both) == 4
    after_a_restart = both.relay()
    while await after_a_restart.pulse() == 0.0:
        pass
    assert waiting(both) == 4


async def test_what_was_settled_at_the_door_is_passed_by(both: Any) -> None:
    await both.publish()
    people = [{"to": "p@example.com", "data": {"name": "N"}}] * 10
    session = await both.admit(people, batch_size=2)
    await relayed(both)
    found = await records(both)
    assert [d.arrival.key.no for d in found] == [1]
    assert await tell(both, found) == 1
    view = await both.view(session)
    assert (view.state, view.told, view.withheld) == ("completed", 1, 9)


async def test_killed_before_it_publishes_nothing_is_lost(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(7)
    both.points.kill("K2")
    with pytest.raises(rivers.Killed):
        await both.relay().pulse()
    assert waiting(both) == 0
    await relayed(both)
    assert await tell(both, await records(both)) == 2
    assert (await both.view(session)).told == 7


@pytest.mark.parametrize("before", [False, True], ids=["claimed-after", "claimed-before"])
async def test_killed_before_the_cursor_moved_it_publishes_twice_and_nobody_is_told_twice(
    both: Any, rivers: Any, before: bool
) -> None:
    """The copies of the first run are claimed before the second run, or after it."""
    await both.publish()
    session = await both.admit(7)
    both.points.kill("K3")
    with pytest.raises(rivers.Killed):
        await both.relay().pulse()
    found = await records(both)
    if before:
        assert await tell(both, found) == 2
        assert (await both.view(session)).state == "completed"
    await relayed(both)
    again = await records(both)
    assert len(again) == (0 if before else 2)
    assert await tell(both, [*again, *found, *again]) == (0 if before else 2)
    assert told(both) == sorted(f"p{i}@example.com" for i in range(7))
    assert (await both.view(session)).state == "completed"


async def test_with_the_broker_away_admission_goes_on_and_nothing_is_lost(
    both: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(relaying, "_LONGEST_BACKOFF", 0.002)
    await both.publish()
    both.broker.away = True
    tries = 0

    class Counted(MemoryQueue):
        async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
            nonlocal tries
            tries += 1
            return await super().publish(parcels)

    relay = both.relay(queue=Counted(both.broker))
    relay.start()
    for _ in range(3):
        await both.admit(5)
    await _until(lambda: tries > 4)
    assert len(both.watch.troubles) == 1, "said once"
    both.broker.away = False
    await _until(lambda: waiting(both) == 3)
    both.broker.away = True
    await both.admit(5)
    await both.watch.until(lambda: len(both.watch.troubles) == 2)
    await relay.stop()
    both.broker.away = False
    await relayed(both)
    assert await tell(both, await records(both)) == 4
    assert len(told(both)) == 20


async def test_whatever_goes_wrong_is_not_its_end(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "_FIRST_BACKOFF", 0.001)
    await both.publish()
    errors: list[Exception] = [RuntimeError("a bug"), Unavailable("away"), RuntimeError("a bug")]

    class Breaking(MemoryQueue):
        async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
            if errors:
                raise errors.pop()
            return await super().publish(parcels)

    relay = both.relay(queue=Breaking(both.broker))
    relay.start()
    await both.admit(5)
    await _until(lambda: waiting(both))
    await relay.stop()
    await relay.stop()
    assert len(both.watch.troubles) == 3


async def test_a_record_that_the_broker_never_takes_is_found_in_the_store_at_once(both: Any) -> None:
    await both.publish()
    big = {"to": "big@example.com", "data": {"name": "N" * 5000}}
    small = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(4)]
    session = await both.admit([big, *small], batch_size=1)
    both.broker.largest = 3000
    await relayed(both)
    found = await records(both)
    assert [d.arrival.key.no for d in found] == [2, 3, 4, 5]
    (claim,) = await lost(both, 1.0)
    assert claim.key.no == 1
    await both.lane(claim)
    assert await tell(both, found) == 4
    assert (await both.view(session)).told == 5


class Meddling(MemoryQueue):
    """Somebody does something to the session while its batches are on their way to the broker."""

    def __init__(self, river: Any, meddle: Any) -> None:
        super().__init__(river.broker)
        self._meddle = meddle

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        taken = await super().publish(parcels)
        await self._meddle()
        return taken


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_stopped_while_it_publishes(both: Any, verb: str) -> None:
    await both.publish()
    session = await both.admit(15)

    async def meddle() -> None:
        extra = (None,) if verb == "pause" else ()
        await getattr(both.control, verb)(ASKER, session, *extra)

    await both.relay(queue=Meddling(both, meddle)).pulse()
    assert (await both.store.read(lambda w: w.sessions.by_number(1))).next_no == 1
    assert await tell(both, await records(both)) == 0
    assert await lost(both, 1e17) == []
    await both.chores()
    await both.audit()
    if verb == "pause":
        await both.control.resume(ASKER, session)
        await both.chores()
        await relayed(both)
        assert await tell(both, await records(both)) == 3
        assert (await both.view(session)).told == 15
    else:
        view = await both.view(session)
        assert (view.state, view.not_told) == ("cancelled", 15)


async def test_a_pause_and_a_resume_lose_nobody(both: Any) -> None:
    await both.publish()
    session = await both.admit(20)
    await relayed(both)
    found = await records(both)
    assert await tell(both, found[:1]) == 1
    await both.control.pause(ASKER, session, None)
    assert await tell(both, found[1:3]) == 0, "acknowledged unclaimed"
    assert await lost(both, 1e17) == []
    await both.control.resume(ASKER, session)
    await both.chores()
    claims = await lost(both, 1.0)
    assert [claim.key.no for claim in claims] == [2, 3, 4]
    assert await tell(both, found) == 0
    for claim in claims:
        await both.lane(claim)
    view = await both.view(session)
    assert (view.state, view.told) == ("completed", 20)
    assert len(told(both)) == 20


@pytest.mark.parametrize("how", ["cancel", "expire"])
async def test_what_was_published_and_never_claimed_is_closed_with_the_session(both: Any, how: str) -> None:
    await both.publish()
    session = await both.admit(people := 30, expires_at=both.clock.now() + 60)
    await relayed(both)
    found = await records(both)
    assert await tell(both, found[:2]) == 2
    if how == "cancel":
        await both.control.cancel(ASKER, session)
    else:
        both.clock.advance(61)
    assert await tell(both, found[2:4]) == 0
    for _ in range(2):  # the clock's own end adds its chore at the first pulse
        await both.chores()
    await both.audit()
    view = await both.view(session)
    assert (view.state, view.told, view.not_told) == ("cancelled" if how == "cancel" else "expired", 10, people - 10)
    assert (view.to_go, view.batches["ready"]) == (0, 0)
    assert await tell(both, found) == 0
    assert await lost(both, 1e17) == []


async def test_a_redrive_of_a_cancelled_session_reaches_everybody(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some batches were claimed, some published, some neither."""
    from pagerd.core.requests import Redrive

    monkeypatch.setattr(spans, "AHEAD", 4)
    await both.publish()
    session = await both.admit(40)
    relay = both.relay()
    while await relay.pulse() == 0.0:
        pass
    old = await records(both)
    assert len(old) == 4
    assert await tell(both, old[:2]) == 2
    await both.control.cancel(ASKER, session)
    await both.chores()
    await both.audit()
    monkeypatch.setattr(spans, "AHEAD", 1000)
    await both.control.redrive(ASKER, session, Redrive())
    await both.chores()
    await relayed(both)
    assert await tell(both, await records(both)) == 4
    assert await tell(both, old) == 0
    await both.work()
    view = await both.view(session)
    assert (view.state, view.told) == ("completed", 40)
    assert len(told(both)) == 40


async def test_of_two_relays_one_relays_and_the_other_takes_over(both: Any) -> None:
    await both.publish()
    turns = [Turn(both.store, both.clock, name) for name in (b"one", b"two")]
    first, second = (both.relay(turn) for turn in turns)
    await both.admit(5)
    assert await first.pulse() == 0.0
    await both.admit(5)
    assert await second.pulse() > 0
    assert waiting(both) == 1
    both.clock.advance(6)  # the first one died
    assert await second.pulse() == 0.0
    assert waiting(both) == 2
    await both.admit(5)
    assert await first.pulse() > 0
    await turns[1].end()
    assert await first.pulse() == 0.0
    assert waiting(both) == 3


async def test_it_hears_of_new_work(both: Any) -> None:
    await both.publish()
    relay = both.relay()
    relay.start()
    await asyncio.sleep(0)
    await both.admit(5)
    await _until(lambda: waiting(both) == 1)
    await both.message()
    await _until(lambda: waiting(both, U) == 1)
    await relay.stop()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
