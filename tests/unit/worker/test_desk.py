"""The desk and the worker around it: who is served when, what wakes it, and how it stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagerd.core.batches import BatchKey
from pagerd.core.errors import Broken, Unavailable
from pagerd.core.requests import Asker
from pagerd.worker import desk

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)


def told(river: Any) -> list[str]:
    return [m.to for m in river.provider.arrived]


def finished(river: Any, n: int) -> Any:
    return lambda: sum(d.state.word in ("succeeded", "failed") for d in river.watch.done) >= n


async def test_a_small_session_beside_a_big_one_is_not_kept_waiting(both: Any, running: Any, rivers: Any) -> None:
    await both.publish()
    big = await both.admit(rivers.persons(100), batch_size=1)
    small = await both.admit(rivers.persons(10, start=1000), batch_size=1)
    await running(lanes=2)
    await both.watch.until(finished(both, 110))
    order = [int(to[1:].partition("@")[0]) >= 1000 for to in told(both)]
    last_of_small = max(i for i, mine in enumerate(order) if mine)
    assert last_of_small < 30, "the small one had its share from the beginning"
    assert [(await both.view(s)).state for s in (big, small)] == ["completed"] * 2


async def test_urgent_work_goes_first(both: Any, running: Any) -> None:
    await both.publish()
    await both.admit(20, batch_size=1)
    await both.message("login@example.com")
    await running(lanes=1)
    await both.watch.until(finished(both, 21))
    assert told(both)[0] == "login@example.com"


async def test_bulk_leaves_the_reserved_lanes_to_urgent_work(both: Any, running: Any) -> None:
    await both.publish()
    await both.admit(50)
    both.provider.gate.clear()
    await running(lanes=4, reserve=2)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 2)
    for i in range(3):
        await both.message(f"login{i}@example.com")
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 4)
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert row.next_no == 3, "two batches of the big session, no more"


async def test_when_a_lane_comes_free_the_next_batch_is_claimed_at_once(both: Any, running: Any) -> None:
    await both.publish()
    await both.admit(60, batch_size=1)
    await running(lanes=4, reserve=1)
    async with asyncio.timeout(10):
        await both.watch.until(finished(both, 60))


async def test_lost_batches_are_worked_one_at_a_time(both: Any, running: Any) -> None:
    await both.publish()
    await both.admit(4, batch_size=1)
    for _ in range(2):
        both.clock.advance(2)
        assert len(await both.claim(b"dying")) == 4
        await both.reclaim(b"worker-a")
    starts: list[int] = []
    compose, inside = desk.Lane.run, 0

    async def counting(self: Any) -> None:
        nonlocal inside
        inside += 1
        starts.append(inside)
        try:
            await compose(self)
        finally:
            inside -= 1

    desk.Lane.run = counting  # type: ignore[method-assign]
    try:
        await running(lanes=4)
        await both.watch.until(finished(both, 4), timeout=30)
    finally:
        desk.Lane.run = compose  # type: ignore[method-assign]
    assert starts == [1, 1, 1, 1]
    assert len(told(both)) == 4


async def test_a_worker_with_nothing_to_do_does_not_spin(both: Any, between: Any, running: Any) -> None:
    await running(lanes=4, reserve=1)
    for _ in range(500):
        await asyncio.sleep(0)
    assert between.claims <= 3


async def test_a_busy_worker_does_not_spin_over_work_that_no_idle_lane_may_take(
    both: Any, between: Any, running: Any
) -> None:
    await both.publish()
    await both.admit(10)
    await both.ledger().sweep()
    for claim in await both.claim(n=2):  # two batches that wait and are due
        await between.flush([_put_off(claim, both.clock.now())])
    both.provider.gate.clear()
    await running(lanes=2, reserve=1)
    await both.watch.until(lambda: both.watch.batches_claimed)
    before = between.claims
    for _ in range(2000):
        await asyncio.sleep(0)
    assert between.claims - before <= 5


async def test_what_becomes_due_is_taken_without_being_asked(both: Any, running: Any) -> None:
    from pagerd.adapters.memory.provider import LATER

    await both.publish()
    await both.admit(1)
    both.provider.say("p0@example.com", LATER)
    await running()
    await both.watch.until(lambda: both.watch.done)
    assert told(both) == []
    both.clock.advance(62)
    await both.admit(1)  # whatever happens wakes it; what is due goes with it
    await both.watch.until(finished(both, 2))
    assert len(told(both)) == 2


@pytest.mark.parametrize("error", [Unavailable("full"), Broken("damaged"), RuntimeError("a bug")])
async def test_whatever_goes_wrong_at_the_desk_is_not_its_end(
    both: Any, between: Any, running: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_TROUBLE_WAIT", 0.001)
    await both.publish()
    between.broken = [error, error, error]
    await both.admit(3)
    await running()
    await both.watch.until(finished(both, 1))
    assert len(both.watch.troubles) == 3
    assert len(told(both)) == 3


async def test_after_a_long_stop_of_the_machine_the_lease_is_renewed_before_anything_is_claimed(
    both: Any, between: Any, running: Any
) -> None:
    await both.publish()
    both.clock.advance(3600)
    await both.admit(10)
    await running()
    await both.watch.until(finished(both, 2))
    assert between.claims < 10
    assert len(told(both)) == 10
    assert {kind for done in both.watch.done for kind in done.kinds} == {"ok"}


async def test_a_stop_waits_for_what_is_under_way_and_claims_nothing_more(both: Any, running: Any) -> None:
    await both.publish()
    session = await both.admit(50)
    both.provider.gate.clear()
    worker = await running(lanes=3)
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 3)
    stopping = asyncio.create_task(worker.stop(10))
    await asyncio.sleep(0)
    both.provider.gate.set()
    await asyncio.wait_for(stopping, 10)
    assert told(both) == [], "no further last byte"
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert row.next_no == 4
    assert set(await both.states(session)) == {"pending"}
    losses = [(await both.store.read(lambda w, no=no: w.batches.get(BatchKey(1, no)))).losses for no in (1, 2, 3)]
    assert losses == [0, 0, 0]


async def test_a_stop_ends_after_its_drain_limit_and_writes_down_what_is_known(both: Any, running: Any) -> None:
    await both.publish()
    session = await both.admit(10)
    both.provider.gate.clear()
    worker = await running(lanes=2)  # all lanes hang in the provider
    await both.watch.until(lambda: sum(both.watch.batches_claimed) == 2)
    await _until_state(both, "dispatching")
    await asyncio.wait_for(worker.stop(0.05), 5)
    assert [d.state.word for d in both.watch.done] == ["waiting", "waiting"]
    assert set(await both.states(session)) == {"pending"}
    both.provider.gate.set()
    assert await both.work(b"worker-b") == 2
    view = await both.view(session)
    assert (view.told, view.possible_duplicates) == (10, 0)


async def test_a_start_takes_over_what_a_dead_worker_left(both: Any, running: Any) -> None:
    await both.publish()
    session = await both.admit(10)
    assert len(await both.claim(b"dead")) == 2
    both.clock.advance(31)
    await running()
    await both.watch.until(finished(both, 2))
    assert (await both.view(session)).told == 10


def _put_off(claim: Any, at: float) -> Any:
    from pagerd.core.states import BatchState
    from pagerd.ledger.book import BatchPage

    return BatchPage(claim).write(BatchState.WAITING, run_at=at)


async def _until_state(river: Any, word: str) -> None:
    for _ in range(5000):
        rows = await river.store.read(lambda w: w.batches.page(1, 0, 10))
        if rows and all(row.state.word == word for row in rows):
            return
        await asyncio.sleep(0)
    raise AssertionError(f"never {word}")
