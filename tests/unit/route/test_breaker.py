"""The breaker, by its drawing."""

from __future__ import annotations

import pytest

from pagerd.route.breaker import FIRST_WAIT, IN_A_ROW, LONGEST_WAIT, WINDOW, Breaker


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        breaker.fault(at)
    assert breaker.is_open
    return breaker


def test_it_opens_at_the_fifth_fault_in_a_row_and_not_before() -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW - 1):
        breaker.fault(0.0)
        assert breaker.closed_in(0.0) == 0.0
    breaker.fault(0.0)
    assert breaker.closed_in(0.0) == FIRST_WAIT
    assert breaker.closed_in(FIRST_WAIT - 1) == 1.0


def test_a_good_answer_in_between_starts_the_row_again() -> None:
    breaker = Breaker()
    for _ in range(5):
        for _ in range(IN_A_ROW - 1):
            breaker.fault(0.0)
        breaker.good(0.0)
        breaker.good(0.0)
        breaker.good(0.0)
        breaker.good(0.0)
    assert not breaker.is_open


@pytest.mark.parametrize(
    ("faults", "goods", "is_open"),
    [(10, 10, False), (11, 10, True), (10, 9, False), (11, 9, True), (12, 7, False), (40, 41, False)],
)
def test_it_opens_over_half_of_at_least_twenty_in_sixty_seconds(faults: int, goods: int, is_open: bool) -> None:
    breaker = Breaker()
    total = faults + goods
    for i in reversed(range(total)):  # evenly mixed, a fault at the end
        (breaker.good if (i + 1) * goods // total > i * goods // total and i else breaker.fault)(1.0)
    assert breaker.is_open == is_open


def test_what_is_older_than_the_window_is_forgotten() -> None:
    breaker = Breaker()
    for _ in range(15):
        breaker.fault(0.0)
        breaker.good(0.0)
    for _ in range(4):
        breaker.fault(WINDOW + 1)
    assert not breaker.is_open


def test_one_caller_probes_and_a_good_answer_closes_it() -> None:
    breaker = opened()
    assert breaker.closed_in(FIRST_WAIT) == 0.0
    assert breaker.closed_in(FIRST_WAIT) > 0.0
    breaker.good(FIRST_WAIT)
    assert not breaker.is_open
    assert [breaker.closed_in(FIRST_WAIT) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_each_failed_probe_doubles_the_wait_up_to_ten_minutes() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(8):
        wait = breaker.closed_in(now)
        waits.append(wait)
        now += wait
        assert breaker.closed_in(now) == 0.0
        breaker.fault(now)
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    assert max(waits) == LONGEST_WAIT
    now += breaker.closed_in(now)
    breaker.closed_in(now)
    breaker.good(now)
    for _ in range(IN_A_ROW):
        breaker.fault(now)
    assert breaker.closed_in(now) == FIRST_WAIT, "after a good answer it begins anew"


def test_a_probe_of_which_nobody_hears_again_does_not_keep_the_peer_away_for_ever() -> None:
    breaker = opened()
    assert breaker.closed_in(FIRST_WAIT) == 0.0  # the prober is paused, stopped, or dies before it asks the peer
    waited = FIRST_WAIT
    while (wait := breaker.closed_in(waited)) > 0 and waited < 10 * LONGEST_WAIT:
        waited += wait
    assert waited <= FIRST_WAIT + LONGEST_WAIT


def test_a_fault_under_way_when_it_opened_does_not_make_the_wait_longer() -> None:
    breaker = opened(0.0)
    breaker.fault(10.0)
    assert breaker.closed_in(10.0) == FIRST_WAIT - 10.0
