"""Time and chance in a test's hand."""

from __future__ import annotations

import asyncio

import pytest

from pagerd.adapters.memory.time import FixedChance, HandClock


async def turns() -> None:
    """Let everybody else run as far as they get."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_time_stands_still_until_it_is_moved() -> None:
    clock = HandClock(now=100.0, monotonic=5.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 5.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 7.5)


async def test_the_wall_clock_alone_may_be_set_back() -> None:
    clock = HandClock(now=100.0, monotonic=5.0)
    clock.step(-50)
    assert (clock.now(), clock.monotonic()) == (50.0, 5.0)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


async def test_who_waits_wakes_in_order_of_time_and_not_before() -> None:
    clock, woken = HandClock(monotonic=0.0), []

    async def sleeper(until: float) -> None:
        await clock.until(until)
        woken.append(until)

    async with asyncio.TaskGroup() as group:
        for until in (3.0, 1.0, 2.0):
            group.create_task(sleeper(until))
        await turns()
        clock.advance(2.0)
        await turns()
        assert woken == [1.0, 2.0]
        assert clock.waiting == 1
        clock.advance(1.0)
    assert woken == [1.0, 2.0, 3.0]


async def test_a_time_that_is_past_waits_for_nothing() -> None:
    clock = HandClock(monotonic=10.0)
    await clock.until(10.0)
    assert clock.waiting == 0


async def test_a_waiter_that_gave_up_is_forgotten() -> None:
    clock = HandClock(monotonic=0.0)
    waiter = asyncio.create_task(clock.until(1.0))
    await turns()
    assert clock.waiting == 1
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert clock.waiting == 0
    clock.advance(5.0)
    assert waiter.cancelled()


def test_identifiers_sort_by_time_also_when_the_clock_stands_still_or_goes_back() -> None:
    clock = HandClock()
    chance = FixedChance(clock)
    ids = [chance.new_id() for _ in range(5000)]
    clock.step(-60)
    ids += [chance.new_id() for _ in range(10)]
    clock.step(120)
    ids += [chance.new_id() for _ in range(10)]
    assert ids == sorted(set(ids))


def test_identifiers_are_version_7() -> None:
    """RFC 9562, section 5.7: 48 bits of milliseconds, version 7, variant 0b10."""
    clock = HandClock(now=1_800_000_000.123)
    raw = FixedChance(clock).new_id()
    assert len(raw) == 16
    assert int.from_bytes(raw[:6], "big") == 1_800_000_000_123
    assert raw[6] >> 4 == 7
    assert raw[8] >> 6 == 0b10


def test_the_same_seed_gives_the_same_chance() -> None:
    one, two, other = (FixedChance(HandClock(), seed) for seed in (1, 1, 2))
    drawn = [[chance.uniform(2, 3) for _ in range(5)] + [chance.new_id()] for chance in (one, two, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(2 <= number <= 3 for number in drawn[0][:5])
