"""What every store promises of batches and exceptional people, outside of a claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pagerd.core import cells
from pagerd.core.balance import Counts
from pagerd.core.batches import BatchKey
from pagerd.core.cells import Cell
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.store import (
    BatchRow,
    ExceptionRow,
    SessionRow,
    Store,
    Work,
)

R = RecipientState
B = BatchState
MakeSession = Callable[..., SessionRow]


def _vec(*states: RecipientState, code: int = 0) -> bytes:
    return cells.pack(Cell(state=state, code=code) for state in states)


def _batch(no: int, state: BatchState = B.READY, session: int = 1, **fields: Any) -> BatchRow:
    row = BatchRow(
        key=BatchKey(session, no),
        state=state,
        token=0,
        losses=0,
        round=1,
        run_at=None,
        vec=_vec(R.PENDING, R.DUPLICATE),
    )
    return msgspec.structs.replace(row, **fields)


async def test_a_batch_without_a_row_is_none(store: Store) -> None:
    assert await store.read(lambda w: (w.batches.get(BatchKey(1, 1)), w.batches.page(1, 0, 10))) == (None, [])


async def test_batches_come_back_whole_in_order_by_pages(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts()))
    rows = [_batch(no, session=number) for no in (1, 3, 10)]
    rows.append(_batch(12, B.WAITING, session=number, token=4, losses=2, round=3, run_at=1.5))
    await store.work(lambda w: w.batches.seed([rows[2], rows[0], rows[3], rows[1]]))
    await store.work(lambda w: w.batches.seed([]))
    assert await store.read(lambda w: w.batches.get(rows[3].key)) == rows[3]
    pages = await store.read(lambda w: [w.batches.page(number, after, 2) for after in (0, 3, 12)])
    assert pages == [rows[:2], rows[2:], []]
    assert await store.read(lambda w: w.batches.page(number + 1, 0, 10)) == []


async def test_batches_by_state(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts()))
    states = [B.FAILED, B.SUCCEEDED, B.WAITING, B.FAILED, B.DEAD]
    rows = [_batch(no, state, session=number, run_at=9.5) for no, state in enumerate(states, 1)]
    rows = [r if r.state is B.WAITING else msgspec.structs.replace(r, run_at=None) for r in rows]
    await store.work(lambda w: w.batches.seed(rows))

    def look(work: Work) -> list[list[int]]:
        found = [
            work.batches.in_state(number, [B.FAILED, B.DEAD], 0, 2),
            work.batches.in_state(number, [B.FAILED, B.DEAD], 4, 2),
            work.batches.in_state(number, [B.CANCELLED], 0, 2),
        ]
        return [[row.key.no for row in rows] for rows in found]

    assert await store.read(look) == [[1, 4], [5], []]


async def test_rewriting_a_batch_that_is_still_as_it_was(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts()))
    old = _batch(1, B.FAILED, session=number, token=3)
    new = _batch(1, B.WAITING, session=number, token=3, round=2, run_at=5.5, vec=_vec(R.PENDING, R.PENDING))
    await store.work(lambda w: w.batches.seed([old]))
    assert await store.work(lambda w: w.batches.rewrite(old, new))
    assert await store.read(lambda w: w.batches.get(old.key)) == new
    assert not await store.work(lambda w: w.batches.rewrite(old, new)), "its state is another by now"
    stale = msgspec.structs.replace(new, token=2)
    assert not await store.work(lambda w: w.batches.rewrite(stale, old)), "its token is another"
    assert not await store.work(lambda w: w.batches.rewrite(_batch(9), _batch(9))), "there is none"
    assert await store.read(lambda w: w.batches.get(old.key)) == new


async def test_never_claimed_rows_are_taken_back_in_steps(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts()))
    other = await store.work(lambda w: w.sessions.add(session_row(), Counts()))
    await store.work(lambda w: w.batches.seed([_batch(no, session=number) for no in (1, 2, 3)]))
    await store.work(lambda w: w.batches.seed([_batch(1, session=other)]))
    assert [await store.work(lambda w: w.batches.unseed(number, 2)) for _ in range(3)] == [2, 1, 0]
    assert await store.read(lambda w: w.batches.page(number, 0, 10)) == []
    assert await store.read(lambda w: len(w.batches.page(other, 0, 10))) == 1


async def test_a_batch_never_attempted_has_no_attempts(store: Store) -> None:
    assert await store.read(lambda w: w.batches.attempts(BatchKey(1, 1))) == []


def _exception(no: int, idx: int, state: RecipientState = R.FAILED, reason: int = 1, round_: int = 1) -> ExceptionRow:
    return ExceptionRow(no=no, idx=idx, state=state, reason=reason, round=round_)


EXCEPTIONS = [
    _exception(1, 0),
    _exception(1, 4, R.DUPLICATE, 2),
    _exception(2, 1, reason=3),
    _exception(2, 3, R.DEFERRED, 4, round_=2),
    _exception(11, 0, reason=1, round_=2),
]


@pytest.fixture
async def excepting(store: Store) -> Store:
    await store.work(lambda w: w.batches.except_(1, EXCEPTIONS[::-1], []))
    await store.work(lambda w: w.batches.except_(2, [_exception(1, 1)], []))
    return store


async def _listed(store: Store, **where: Any) -> list[ExceptionRow]:
    asked: dict[str, Any] = {"state": None, "reasons": None, "after": (0, 0), "limit": 50} | where
    return await store.read(lambda w: w.batches.exceptions(1, **asked))


async def test_exceptional_people_stand_in_file_order(excepting: Store) -> None:
    assert await _listed(excepting, after=(0, 99)) == EXCEPTIONS
    assert await _listed(excepting, after=(0, 99), limit=2) == EXCEPTIONS[:2]
    assert await _listed(excepting, after=(1, 4), limit=2) == EXCEPTIONS[2:4]
    assert await _listed(excepting, after=(1, 0), limit=1) == EXCEPTIONS[1:2]
    assert await _listed(excepting, after=(11, 0)) == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"state": R.FAILED}, [0, 2, 4]),
        ({"state": R.UNKNOWN}, []),
        ({"reasons": [1, 4]}, [0, 3, 4]),
        ({"reasons": []}, []),
        ({"state": R.FAILED, "reasons": [1]}, [0, 4]),
        ({"below_round": 2}, [0, 1, 2]),
        ({"below_round": 1}, []),
        ({"state": R.FAILED, "reasons": [1], "below_round": 2}, [0]),
    ],
)
async def test_exceptional_people_by_state_reason_and_round(
    excepting: Store, where: dict[str, Any], expected: list[int]
) -> None:
    assert await _listed(excepting, **where) == [EXCEPTIONS[i] for i in expected]


async def test_a_place_changes_its_exception_in_one_step(excepting: Store) -> None:
    changed = [_exception(1, 0, R.UNKNOWN, 9), _exception(3, 2)]
    await excepting.work(lambda w: w.batches.except_(1, changed, [(1, 0), (2, 1), (7, 7)]))
    assert await _listed(excepting) == [changed[0], EXCEPTIONS[1], EXCEPTIONS[3], changed[1], EXCEPTIONS[4]]
