"""Vectors and the balance: folds, differences, verdicts, and what a claim or a death makes of a vector."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core import balance, cells
from pagerd.core.balance import Counts, as_tuple, batch_verdict, change, fold, of_tuple, verdict
from pagerd.core.cells import Cell
from pagerd.core.policy import OnDoubt
from pagerd.core.resolution import died, died_as, moves, taken_over
from pagerd.core.states import EXCEPTIONAL, NOT_TOLD, UNSETTLED, BatchState, RecipientState, SessionState, may_move

R = RecipientState
B = BatchState
CELLS = st.builds(
    Cell,
    state=st.sampled_from(R),
    flags=st.integers(0, 1),
    attempt=st.integers(0, 255),
    provider=st.integers(0, 255),
    code=st.integers(0, 65_535),
    not_before=st.integers(0, 2**32 - 1),
)
PEOPLE = st.lists(CELLS, min_size=1, max_size=12)
BATCHES = st.lists(st.tuples(st.sampled_from(B), PEOPLE.map(cells.pack)), max_size=6)


@given(PEOPLE)
def test_cells_come_back_as_they_were_in_ten_bytes_each(people: list[Cell]) -> None:
    vec = cells.pack(people)
    assert len(vec) == 10 * len(people)
    assert cells.unpack(vec) == people
    assert list(cells.states(vec)) == [cell.state for cell in people]
    assert [cell.possible_duplicate for cell in cells.unpack(vec)] == [bool(cell.flags & 1) for cell in people]


@pytest.mark.parametrize("n", [0, 1, 5, 500])
def test_a_fresh_vector_is_all_pending(n: int) -> None:
    assert cells.unpack(cells.fresh(n)) == [Cell()] * n


def test_the_layout_on_disk_never_changes() -> None:
    cell = Cell(R.DEFERRED, 1, 3, 7, 0x0201, 0x06050403)
    assert cells.pack([cell]) == bytes([1, 1, 3, 7, 1, 2, 3, 4, 5, 6])


@given(BATCHES)
def test_the_balance_always_adds_up(batches: list[tuple[B, bytes]]) -> None:
    counts = fold(batches)
    assert counts.told + counts.withheld + counts.not_told + counts.in_doubt + counts.to_go == counts.total
    assert counts.total == sum(len(vec) // 10 for _, vec in batches)
    assert counts.batches == len(batches)
    people = Counter(state for _, vec in batches for state in cells.states(vec))
    assert {state.word: getattr(counts, state.word) for state in R} == {state.word: people[state] for state in R}
    flagged = sum(cell.flags & 1 for _, vec in batches for cell in cells.unpack(vec))
    assert counts.possible_duplicates == flagged
    assert Counter(state for state, _ in batches) == {
        state: n for state in B if (n := getattr(counts, f"batches_{state.word}"))
    }


@given(st.sampled_from(B), st.sampled_from(B), st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_a_change_is_the_difference_of_two_folds(old: B, new: B, pairs: list[tuple[Cell, Cell]]) -> None:
    before = (old, cells.pack([one for one, _ in pairs]))
    after = (new, cells.pack([two for _, two in pairs]))
    assert of_tuple(change(before, after)) == fold([after]) - fold([before])
    assert fold([before]) + of_tuple(change(before, after)) == fold([after])


@given(BATCHES, BATCHES)
def test_folds_of_parts_add_up_to_the_fold_of_all(one: list[tuple[B, bytes]], two: list[tuple[B, bytes]]) -> None:
    assert fold(one) + fold(two) == fold(one + two)
    assert fold(one) - fold(one) == Counts()
    assert of_tuple(as_tuple(fold(one))) == fold(one)


@given(BATCHES, st.integers(0, 5))
def test_a_bounce_moves_one_from_told_to_not_told(batches: list[tuple[B, bytes]], bounced: int) -> None:
    counts = fold(batches)
    bounced = min(bounced, counts.accepted)
    after = counts + Counts(bounced=bounced)
    assert (after.told, after.not_told) == (counts.told - bounced, counts.not_told + bounced)
    assert after.told + after.withheld + after.not_told + after.in_doubt + after.to_go == after.total


@given(BATCHES)
def test_a_session_is_over_only_when_nobody_and_no_batch_is_open(batches: list[tuple[B, bytes]]) -> None:
    counts = fold(batches)
    states = {state for _, vec in batches for state in cells.states(vec)}
    is_open = bool(states & UNSETTLED) or any(state <= B.DISPATCHING for state, _ in batches)
    earned = verdict(counts)
    assert (earned is None) == is_open
    if earned is not None:
        not_told, told = bool(states & NOT_TOLD), R.ACCEPTED in states
        expected = SessionState.COMPLETED
        if not_told:
            expected = SessionState.COMPLETED_WITH_FAILURES if told else SessionState.FAILED
        assert earned is expected


def test_a_late_bounce_of_the_only_one_told_makes_a_session_failed() -> None:
    counts = Counts(accepted=1, batches_succeeded=1)
    assert verdict(counts) is SessionState.COMPLETED
    assert verdict(counts + Counts(bounced=1)) is SessionState.FAILED


@given(PEOPLE)
def test_a_batch_succeeds_if_nobody_in_it_is_not_told(people: list[Cell]) -> None:
    bad = any(cell.state in NOT_TOLD for cell in people)
    assert batch_verdict(cells.pack(people)) is (B.FAILED if bad else B.SUCCEEDED)


# -- moves, claims, deaths ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_moves_say_who_becomes_exceptional_and_how_reasons_change(pairs: list[tuple[Cell, Cell]]) -> None:
    old, new = [one for one, _ in pairs], [two for _, two in pairs]
    said = moves(cells.pack(old), new)
    assert cells.unpack(said.vec) == new
    rows = {i: (c.state, c.code) for i, c in enumerate(old) if c.state in EXCEPTIONAL}
    for idx in said.leave:
        del rows[idx]
    for idx, state, code in said.enter:
        assert idx not in rows
        rows[idx] = (state, code)
    assert rows == {i: (c.state, c.code) for i, c in enumerate(new) if c.state in EXCEPTIONAL}
    before = Counter((c.state, c.code) for c in old if c.state in EXCEPTIONAL)
    before.update(said.reasons)
    assert {k: n for k, n in before.items() if n} == Counter(rows.values())
    assert 0 not in said.reasons.values()


HELD, POISON = 900, 901


@given(PEOPLE, st.sampled_from(OnDoubt), st.integers(0, 2**32 - 1))
def test_a_claim_resolves_every_doubt_by_policy_and_wakes_who_is_due(
    people: list[Cell], policy: OnDoubt, now: int
) -> None:
    said = taken_over(cells.pack(people), policy, HELD, now)
    after = people if said is None else cells.unpack(said.vec)
    assert said is None or after != people
    for one, two in zip(people, after, strict=True):
        if one.state in (R.SENDING, R.IN_DOUBT):
            if policy is OnDoubt.HOLD:
                assert (two.state, two.code) == (R.UNKNOWN, HELD)
            else:
                assert two.state is R.PENDING
                assert two.possible_duplicate
                assert two.attempt == one.attempt, "the attempt is burned"
        elif one.state is R.DEFERRED and one.not_before <= now:
            assert (two.state, two.flags) == (R.PENDING, one.flags)
        else:
            assert two == one
        assert two.possible_duplicate >= one.possible_duplicate, "a flag is never taken back"
        assert one.state is two.state or may_move(one.state, two.state)


@given(PEOPLE)
def test_a_dead_batch_leaves_nobody_open_and_hides_no_doubt(people: list[Cell]) -> None:
    vec = cells.pack(people)
    after = cells.unpack(died(vec, HELD, POISON).vec)
    for one, two in zip(people, after, strict=True):
        waiting = one.state in (R.PENDING, R.DEFERRED)
        if one.state in (R.SENDING, R.IN_DOUBT) or (waiting and one.possible_duplicate):
            assert (two.state, two.code) == (R.UNKNOWN, HELD)
        elif waiting:
            assert (two.state, two.code) == (R.FAILED, POISON)
        else:
            assert two == one
    assert not {cell.state for cell in after} & UNSETTLED
    state = died_as(vec)
    assert (state is B.DEAD) == any((cell.state, cell.code) == (R.FAILED, POISON) for cell in after)
    if state is not B.DEAD:
        assert state is batch_verdict(cells.pack(after))


def test_nothing_changes_for_a_batch_nobody_touched() -> None:
    assert taken_over(cells.fresh(5), OnDoubt.RESEND, HELD, 1e9) is None
    assert balance.fold_vector(cells.fresh(3))[R.PENDING] == 3
