"""A provider in service: held back by what it says, and by people."""

from __future__ import annotations

from typing import Any

import pytest

from pagerd.adapters.memory.provider import MemoryProvider
from pagerd.adapters.memory.time import HandClock
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.route.carrier import CONNECTION_CODES, Carrier

F = FailureClass


def outcome(kind: F, code: str = "", **fields: Any) -> Outcome:
    return Outcome(place=0, kind=kind, code=code, **fields)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def carrier(clock: HandClock) -> Carrier:
    return Carrier(MemoryProvider(clock), 1, None, clock)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        (None, 30.0),
        (0.0, 1.0),
        (0.2, 1.0),
        (1.0, 1.0),
        (90.0, 90.0),
        (86_400.0, 86_400.0),
        (1e9, 86_400.0),
        (-5.0, 1.0),
    ],
)
def test_throttling_holds_the_whole_provider_for_what_it_asked_within_a_second_and_a_day(
    carrier: Carrier, clock: HandClock, asked: float | None, held: float
) -> None:
    carrier.observe([outcome(F.OK), outcome(F.THROTTLED, "421 4.7.0", retry_after=asked)])
    assert carrier.wait() == pytest.approx(held)
    assert carrier.health()["held_for_seconds"] == pytest.approx(held)
    clock.advance(held)
    assert carrier.wait() == 0.0


def test_one_greylisted_recipient_holds_nobody_else_back(carrier: Carrier) -> None:
    carrier.observe([outcome(F.THROTTLED, "450 4.7.1"), outcome(F.THROTTLED, "451 4.7.1")])
    assert carrier.wait() == 0.0
    carrier.observe([outcome(F.THROTTLED, "450 4.7.1", retry_after=60.0)])
    assert carrier.wait() == pytest.approx(60.0)


def test_a_shorter_hold_does_not_shorten_a_longer_one(carrier: Carrier) -> None:
    carrier.observe([outcome(F.THROTTLED, retry_after=100.0)])
    carrier.observe([outcome(F.THROTTLED, retry_after=2.0), outcome(F.OK)])
    assert carrier.wait() == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("said", "is_fault"),
    [(outcome(F.TRANSIENT, code), True) for code in sorted(CONNECTION_CODES)]
    + [
        (outcome(F.PROVIDER_CONFIG, "535 5.7.8"), True),
        (outcome(F.TRANSIENT, "451 4.3.0"), False),
        (outcome(F.PERMANENT_ADDRESS, "550 5.1.1"), False),
        (outcome(F.PERMANENT_CONTENT, "554 5.6.0"), False),
        (outcome(F.THROTTLED, "421 4.7.0", retry_after=1.0), False),
        (outcome(F.IN_DOUBT, "no_answer"), False),
        (outcome(F.NOT_SENT, "fence"), False),
        (outcome(F.OK), False),
    ],
)
def test_only_faults_of_the_peer_open_the_breaker(
    carrier: Carrier, clock: HandClock, said: Outcome, is_fault: bool
) -> None:
    for _ in range(30):
        carrier.observe([said])
    assert (carrier.health()["breaker"] == "open") == is_fault
    clock.advance(5.0)
    assert (carrier.wait() > 0) == is_fault


def test_doubt_and_what_was_not_sent_say_nothing_about_the_peer(carrier: Carrier) -> None:
    for _ in range(4):
        carrier.observe([outcome(F.TRANSIENT, "connect_failed")])
    carrier.observe([outcome(F.NOT_SENT), outcome(F.IN_DOUBT)])
    carrier.observe([outcome(F.TRANSIENT, "connect_failed")])
    assert carrier.health()["breaker"] == "open", "the row of faults was not broken by them"


def test_a_probe_that_ends_in_doubt_leaves_the_way_open_for_another(carrier: Carrier, clock: HandClock) -> None:
    for _ in range(5):
        carrier.observe([outcome(F.TRANSIENT, "timeout")])
    clock.advance(30.0)
    assert carrier.wait() == 0.0
    carrier.observe([outcome(F.IN_DOUBT, "no_answer")])
    clock.advance(600.0)
    assert carrier.wait() == 0.0


def test_a_person_s_pause_holds_without_end_and_a_fault_is_shown(carrier: Carrier, clock: HandClock) -> None:
    carrier.paused = "quota"
    clock.advance(1e6)
    assert carrier.wait() > 0
    carrier.observe([outcome(F.PROVIDER_CONFIG, "535 5.7.8", text="535 5.7.8 no such user ada@example.com")])
    assert carrier.health()["last_fault"] == "535 5.7.8", "the peer's words may name people"
    carrier.paused = None
    assert carrier.wait() == 0.0
    carrier.observe([outcome(F.OK)])
    assert carrier.health()["last_fault"] is None
