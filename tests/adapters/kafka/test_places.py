"""How far a partition is done: whatever the order of acknowledgements, nothing unfinished is committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagerd.adapters.kafka.places import Place


def place(*offsets: int) -> Place:
    made = Place("topic", 0)
    for offset in offsets:
        made.taken(offset)
    return made


def test_nothing_read_is_nothing_to_commit() -> None:
    assert (place().to_commit(), place().held) == (None, 0)


def test_only_what_is_done_in_a_row_is_committed() -> None:
    made = place(10, 11, 12)
    made.done(12)
    made.done(11)
    assert (made.to_commit(), made.held) == (None, 3)
    made.done(10)
    assert (made.to_commit(), made.held) == (13, 0)


def test_what_is_committed_is_not_committed_again() -> None:
    made = place(1, 2)
    made.done(1)
    made.committed = made.to_commit()
    assert made.to_commit() is None
    made.done(2)
    assert made.to_commit() == 3


def test_a_gap_in_the_offsets_is_nobody() -> None:
    made = place(5, 9)
    made.done(5)
    assert made.to_commit() == 6
    made.done(9)
    assert made.to_commit() == 10


def test_what_was_dropped_comes_again() -> None:
    made = place(1, 2, 3)
    made.dropped(3)
    made.dropped(2)
    made.done(3)
    made.done(1)
    assert (made.to_commit(), made.held) == (2, 0)


def test_a_place_that_is_another_s_moves_no_more() -> None:
    made = place(1)
    made.ours = False
    made.done(1)
    assert made.to_commit() is None


@given(st.lists(st.integers(0, 50), unique=True, min_size=1).map(sorted), st.data())
def test_whatever_the_order(offsets: list[int], data: st.DataObject) -> None:
    made = place(*offsets)
    done: set[int] = set()
    for offset in data.draw(st.permutations(offsets * 2)):
        made.done(offset)
        done.add(offset)
        reached = made.to_commit()
        left = [o for o in offsets if o not in done]
        assert reached is None or all(o in done for o in offsets if o < reached)
        expected = None if left and left[0] == offsets[0] else (left[0] if left else offsets[-1] + 1)
        assert expected is None or reached is not None
        assert made.held == sum(o >= left[0] for o in offsets) if left else made.held == 0
    assert made.to_commit() == offsets[-1] + 1
