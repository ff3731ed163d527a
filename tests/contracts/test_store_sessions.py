"""What every store promises of sessions and their counters: absence, twice, order, pages."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pagerd.core.balance import Counts
from pagerd.core.policy import OnDoubt, OnInvalid, Priority
from pagerd.core.states import RecipientState, SessionState
from pagerd.ports.store import (
    SessionRow,
    Store,
    Work,
)

R = RecipientState
S = SessionState
MakeSession = Callable[..., SessionRow]


async def test_an_unknown_session_is_none_and_counts_nothing(store: Store) -> None:
    def look(work: Work) -> list[object]:
        s = work.sessions
        return [s.get(1, b"?" * 16), s.by_number(99), s.counts(99), s.reasons(99), s.key_in_use(b"?" * 16)]

    assert await store.read(look) == [None, None, Counts(), [], False]


async def test_a_session_comes_back_whole(store: Store, session_row: MakeSession) -> None:
    full = session_row(
        is_message=True,
        state=S.PAUSED,
        priority=Priority.URGENT,
        on_doubt=OnDoubt.HOLD,
        on_invalid=OnInvalid.SKIP,
        next_no=4,
        stop_no=9,
        last_no=12,
        total=55,
        round=2,
        closed_as=R.CANCELLED,
        chores=b"\0chores",
        paused_from=S.SCHEDULED,
        pause_reason="provider_config",
        send_at=1.5,
        expires_at=2.5,
        started_at=3.5,
        finished_at=4.5,
        settled_key=True,
    )
    for row in (full, session_row()):
        number = await store.work(lambda w, row=row: w.sessions.add(row, Counts()))
        kept = msgspec.structs.replace(row, number=number)
        assert await store.read(lambda w, row=row: w.sessions.get(1, row.id)) == kept
        assert await store.read(lambda w, number=number: w.sessions.by_number(number)) == kept


async def test_every_session_has_a_number_of_its_own(store: Store, session_row: MakeSession) -> None:
    numbers = [await store.work(lambda w: w.sessions.add(session_row(), Counts())) for _ in range(5)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0


async def test_a_session_of_another_workspace_is_not_there(store: Store, session_row: MakeSession) -> None:
    row = session_row()
    await store.work(lambda w: w.sessions.add(row, Counts()))
    assert await store.read(lambda w: w.sessions.get(2, row.id)) is None


async def test_saving_writes_every_field_but_the_next_number(store: Store, session_row: MakeSession) -> None:
    row = session_row(next_no=3, stop_no=10, last_no=10)
    number = await store.work(lambda w: w.sessions.add(row, Counts()))
    changed = msgspec.structs.replace(
        row, number=number, state=S.CANCELLED, stop_no=2, closed_as=R.CANCELLED, finished_at=9.5, next_no=1
    )
    await store.work(lambda w: w.sessions.save(changed))
    kept = await store.read(lambda w: w.sessions.by_number(number))
    assert kept == msgspec.structs.replace(changed, next_no=3)


async def test_saving_an_unknown_session_makes_none(store: Store, session_row: MakeSession) -> None:
    await store.work(lambda w: w.sessions.save(session_row(number=99)))
    assert await store.read(lambda w: w.sessions.next_after(0, 10)) == []


async def test_sessions_are_listed_newest_first_by_pages(store: Store, session_row: MakeSession) -> None:
    rows = [session_row() for _ in range(5)]
    others = [session_row(workspace=2), session_row(is_message=True)]
    for row in (rows[2], rows[0], *others, rows[4], rows[1], rows[3]):
        await store.work(lambda w, row=row: w.sessions.add(row, Counts()))
    ids = [row.id for row in reversed(rows)]

    async def page(limit: int, before: bytes | None) -> list[bytes]:
        return [row.id for row in await store.read(lambda w: w.sessions.newest(1, limit, before, None))]

    assert await page(10, None) == ids
    assert await page(2, None) == ids[:2]
    assert await page(2, ids[1]) == ids[2:4]
    assert await page(2, ids[4]) == []


async def test_sessions_are_listed_by_state(store: Store, session_row: MakeSession) -> None:
    paused = session_row(state=S.PAUSED)
    for row in (paused, session_row(), session_row(state=S.COMPLETED)):
        await store.work(lambda w, row=row: w.sessions.add(row, Counts()))
    found = await store.read(lambda w: w.sessions.newest(1, 10, None, S.PAUSED))
    assert [row.id for row in found] == [paused.id]


async def test_counters_add_up(store: Store, session_row: MakeSession) -> None:
    one = await store.work(lambda w: w.sessions.add(session_row(), Counts(pending=10, batches_ready=2)))
    two = await store.work(lambda w: w.sessions.add(session_row(), Counts(pending=1)))
    delta = Counts(pending=-4, accepted=3, in_doubt=1, possible_duplicates=1, batches_ready=-1, batches_claimed=1)
    await store.work(lambda w: w.sessions.count(one, delta))
    await store.work(lambda w: w.sessions.count(one, Counts()))
    expected = Counts(pending=6, accepted=3, in_doubt=1, possible_duplicates=1, batches_ready=1, batches_claimed=1)
    assert await store.read(lambda w: w.sessions.counts(one)) == expected
    assert await store.read(lambda w: w.sessions.counts(two)) == Counts(pending=1)


async def test_a_recount_replaces_the_counters(store: Store, session_row: MakeSession) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts(pending=10, failed=7)))
    await store.work(lambda w: w.sessions.set_counts(number, Counts(accepted=10)))
    assert await store.read(lambda w: w.sessions.counts(number)) == Counts(accepted=10)


async def test_reasons_are_counted_by_state_and_those_at_zero_are_left_out(
    store: Store, session_row: MakeSession
) -> None:
    number = await store.work(lambda w: w.sessions.add(session_row(), Counts()))

    def change(work: Work) -> None:
        for state, reason, delta in ((R.FAILED, 1, 3), (R.REJECTED, 1, 2), (R.IN_DOUBT, 2, 1), (R.IN_DOUBT, 2, -1)):
            work.sessions.count_reason(number, state, reason, delta)
        work.sessions.count_reason(number, R.FAILED, 1, 4)

    await store.work(change)
    assert sorted(await store.read(lambda w: w.sessions.reasons(number))) == [(R.FAILED, 1, 7), (R.REJECTED, 1, 2)]


async def test_what_is_due(store: Store, session_row: MakeSession) -> None:
    rows = {
        "come": session_row(state=S.SCHEDULED, send_at=100.0),
        "not yet": session_row(state=S.SCHEDULED, send_at=100.5),
        "over": session_row(expires_at=100.0),
        "over while paused": session_row(state=S.PAUSED, expires_at=99.0),
        "not over": session_row(expires_at=100.5),
        "over but finished": session_row(state=S.COMPLETED, expires_at=99.0, finished_at=98.0),
        "over while staging": session_row(state=S.STAGING, expires_at=99.0),
        "chores": session_row(state=S.CANCELLED, finished_at=50.0, chores=b"c"),
        "nothing": session_row(),
    }
    numbers = {name: await store.work(lambda w, r=r: w.sessions.add(r, Counts())) for name, r in rows.items()}
    due = {row.number for row in await store.read(lambda w: w.sessions.due(100.0, 50))}
    assert {name for name, number in numbers.items() if number in due} == {
        "come",
        "over",
        "over while paused",
        "chores",
    }
    assert await store.read(lambda w: w.sessions.due(100.0, 1))


async def test_what_may_be_reaped(store: Store, session_row: MakeSession) -> None:
    old = session_row(state=S.STAGING, created_at=99.5)
    for row in (old, session_row(state=S.STAGING, created_at=100.0), session_row(created_at=1.0)):
        await store.work(lambda w, row=row: w.sessions.add(row, Counts()))
    assert [row.id for row in await store.read(lambda w: w.sessions.reapable(100.0, 10))] == [old.id]


async def test_which_keys_may_go(store: Store, session_row: MakeSession) -> None:
    old = session_row(state=S.COMPLETED, finished_at=99.5, key_id=b"a" * 16)
    others = [
        session_row(state=S.COMPLETED, finished_at=99.0, settled_key=True),
        session_row(state=S.COMPLETED, finished_at=100.0),
        session_row(),
    ]
    for row in (old, *others):
        await store.work(lambda w, row=row: w.sessions.add(row, Counts()))
    assert [row.id for row in await store.read(lambda w: w.sessions.shreddable(100.0, 10))] == [old.id]
    assert await store.read(lambda w: w.sessions.key_in_use(b"a" * 16))
    assert not await store.read(lambda w: w.sessions.key_in_use(b"b" * 16))


async def test_a_shared_key_is_in_use_until_the_last_session_gave_it_up(store: Store, session_row: MakeSession) -> None:
    rows = [session_row(key_id=b"s" * 16) for _ in range(2)]
    numbers = [await store.work(lambda w, row=row: w.sessions.add(row, Counts())) for row in rows]
    used = []
    for number, row in zip(numbers, rows, strict=True):
        gone = msgspec.structs.replace(row, number=number, settled_key=True)
        await store.work(lambda w, gone=gone: w.sessions.save(gone))
        used.append(await store.read(lambda w: w.sessions.key_in_use(b"s" * 16)))
    assert used == [True, False]


async def test_walks_over_all_sessions_and_over_the_unfinished(store: Store, session_row: MakeSession) -> None:
    states = [S.RUNNING, S.COMPLETED, S.STAGING, S.CANCELLED, S.PAUSED]
    rows = [session_row(state=state, is_message=state is S.PAUSED) for state in states]
    numbers = [await store.work(lambda w, row=row: w.sessions.add(row, Counts())) for row in rows]

    def look(work: Work) -> list[list[int]]:
        s = work.sessions
        walks = [s.next_after(0, 3), s.next_after(numbers[2], 3), s.unfinished(0, 2), s.unfinished(numbers[2], 2)]
        return [[row.number for row in walk] for walk in walks]

    assert await store.read(look) == [numbers[:3], numbers[3:], [numbers[0], numbers[2]], [numbers[4]]]
