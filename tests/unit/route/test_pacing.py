"""A provider's rate: short waits in place, long ones in line, and nobody is asked in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagerd.adapters.memory.pace import MemoryPace
from pagerd.adapters.memory.provider import MemoryProvider
from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.smtp.settings import SmtpSettings
from pagerd.core.rates import Meter, Rate, read_rate
from pagerd.core.states import BatchState
from pagerd.route.carrier import Carrier
from pagerd.route.pacing import MOMENT, Pacing


class CountingPace(MemoryPace):
    asked = 0

    async def take(self, key: str, rate: Rate, n: int) -> float:
        self.asked += 1
        return await super().take(key, rate, n)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pace(clock: HandClock) -> CountingPace:
    return CountingPace(clock)


async def test_those_who_wait_stand_in_line_and_come_back_one_by_one(clock: HandClock, pace: CountingPace) -> None:
    pacing = Pacing(pace, "mail", read_rate("10/s"), clock)
    assert await pacing.turn(5, urgent=False) == 0.0
    waits = [await pacing.turn(5, urgent=False) for _ in range(100)]
    assert waits == pytest.approx([0.5 * n for n in range(1, 101)])
    assert pace.asked == 2, "a refusal holds until its time"
    sent = 0
    for _ in range(100):
        clock.advance(0.5)
        sent += await pacing.turn(5, urgent=False) == 0.0
    assert sent == 100


async def test_who_is_urgent_does_not_stand_behind_the_crowd(clock: HandClock, pace: CountingPace) -> None:
    pacing = Pacing(pace, "mail", read_rate("10/s"), clock)
    for _ in range(50):
        await pacing.turn(5, urgent=False)
    assert await pacing.turn(1, urgent=True) == pytest.approx(0.5)


async def test_fewer_may_go_where_more_were_refused(clock: HandClock, pace: CountingPace) -> None:
    pacing = Pacing(pace, "mail", Rate(messages=10, burst=3), clock)
    assert await pacing.turn(2, urgent=False) == 0.0
    assert await pacing.turn(3, urgent=False) > 0.0
    assert await pacing.turn(1, urgent=True) == 0.0


async def test_a_moment_is_waited_in_place(clock: HandClock, pace: CountingPace) -> None:
    pacing = Pacing(pace, "mail", Rate(messages=1 / MOMENT), clock)
    assert await pacing.turn(1, urgent=False) == 0.0
    turn = asyncio.ensure_future(pacing.turn(1, urgent=False))
    await asyncio.wait([turn], timeout=0)
    clock.advance(MOMENT)
    assert await turn == 0.0


async def test_a_provider_without_a_rate_asks_nobody(clock: HandClock) -> None:
    carrier = Carrier(MemoryProvider(clock), 1, None, clock)
    assert carrier.pacing is None
    assert carrier.window == carrier.provider.limits.batch


async def test_a_window_is_no_more_than_a_quarter_second_s(clock: HandClock, pace: CountingPace) -> None:
    for written, window in (("100/s", 25), ("1/s", 1), ("50000/day", 1), ("90000/s", 500)):
        pacing = Pacing(pace, "mail", read_rate(written), clock)
        assert Carrier(MemoryProvider(clock), 1, None, clock, pacing=pacing).window == window


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("100/s", Rate(messages=100, seconds=1, burst=5)),
        ("6000/min", Rate(messages=6000, seconds=60, burst=5)),
        ("1000/h", Rate(messages=1000, seconds=3600, burst=1)),
        ("50000 / day", Rate(messages=50000, seconds=86400, burst=1)),
    ],
)
def test_rates_are_written_like_this(written: str, rate: Rate) -> None:
    assert read_rate(written) == rate


@pytest.mark.parametrize("written", ["", "100", "100/", "/s", "-1/s", "0/s", "1.5/s", "100/week", "100001/s", "1e3/s"])
def test_anything_else_is_refused_with_words(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no rate: write 100/s|would send nothing|the fastest that is counted"):
        read_rate(written)
    with pytest.raises(ValueError, match=r"rate|nothing|fastest"):
        SmtpSettings(url="smtp://localhost", rate=written)


def test_shares_are_no_faster_in_sum() -> None:
    rate = Rate(messages=100, burst=10)
    assert sum(rate.share(3).messages for _ in range(3)) == pytest.approx(100)
    assert rate.share(3).burst == 3
    meter, left = Meter(), 0
    for tick in range(1000):
        left += meter.take(tick / 100, rate.share(4), 1) == 0.0
    assert left == pytest.approx(250, abs=3)


async def test_a_session_over_a_paced_provider_is_put_off_and_told_in_time(river: Any, rivers: Any) -> None:
    carrier = river.providers.choose(river.provider.channel)
    carrier.pacing = Pacing(MemoryPace(river.clock), "mail", read_rate("10/s"), river.clock)
    await river.publish()
    session = await river.admit(20, batch_size=5)
    began = river.clock.monotonic()
    while (await river.view(session)).told < 20:
        if not await river.work():
            river.clock.advance(0.25)
    # Windows of two, every fifth of a second, and one message of burst.
    assert 1.5 <= river.clock.monotonic() - began <= 4.0
    assert len(river.provider.arrived) == 20
    assert all(done.state in (BatchState.WAITING, BatchState.SUCCEEDED) for done in river.watch.done)
