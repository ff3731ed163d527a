"""Big audiences in parts: each kept whole or not at all, found duplicates over all of them, started in one commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pagerd.audience import duplicates
from pagerd.core.errors import Conflict, Gone, Invalid, Missing, Unavailable, WrongState
from pagerd.core.policy import OnInvalid
from pagerd.core.requests import Asker, Redrive
from pagerd.session import chores

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)


async def kept(river: Any) -> tuple[int, list[int]]:
    """Return how many payload rows there are, and the blocks that nothing refers to."""

    def look(work: Any) -> list[int]:
        return list(work.parts.orphan_blocks(1))

    if hasattr(river.store, "tables"):
        payloads = len(list(river.store.tables.parts._payloads))
    else:
        payloads = await river.store.look(lambda raw: raw.execute("SELECT count(*) FROM batch_payload").fetchone()[0])
    return payloads, await river.store.read(look)


async def start(river: Any, session: str, parts: int, recipients: int) -> Any:
    return await river.uploads.start(ASKER, session, parts=parts, recipients=recipients)


async def test_parts_may_come_in_any_order_and_are_read_in_theirs(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    assert (await both.view(session)).state == "staging"
    for part in (3, 1, 2):
        view = await both.put(session, part, rivers.csv_of(7, (part - 1) * 7))
        assert (view.part, view.recipients, view.batches, view.flaws) == (part, 7, 2, 0)
    assert [p.part for p in await both.uploads.parts(ASKER, session)] == [1, 2, 3]
    assert await both.work() == 0, "nothing of it is visible to workers"
    view = await start(both, session, 3, 21)
    assert (view.state, view.total, view.batches["total"]) == ("ready", 21, 6)
    await both.audit()
    await both.work()
    people = await both.people(session)
    assert [p.to for p in people] == [f"p{i}@example.com" for i in range(21)]
    assert {p.state for p in people} == {"accepted"}
    assert (await both.view(session)).state == "completed"


async def test_the_same_number_again_replaces_a_part(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(10))
    await both.put(session, 1, rivers.csv_of(3, 100))
    view = await start(both, session, 1, 3)
    assert view.total == 3
    assert await kept(both) == (1, []), "what was replaced is gone"
    await both.work()
    assert [m.to for m in both.provider.arrived] == ["p100@example.com", "p101@example.com", "p102@example.com"]


@pytest.mark.parametrize("error", [ConnectionError("gone"), asyncio.CancelledError()])
async def test_a_broken_stream_leaves_nothing(both: Any, rivers: Any, error: BaseException) -> None:
    await both.publish()
    session = await both.admit(None, batch_size=1)
    body = rivers.csv_of(400).encode()

    async def breaking() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        yield body[len(body) // 2 : -10]
        raise error

    with pytest.raises(type(error)):
        await both.uploads.put_part(ASKER, session, 1, breaking(), content_type="text/csv")
    assert await both.uploads.parts(ASKER, session) == []
    assert await kept(both) == (0, [])


async def test_a_sender_who_goes_while_the_part_is_being_committed_leaves_it_whole(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None, batch_size=1)
    work, store = both.store.work, both.store
    uploading: list[asyncio.Task[Any]] = []

    async def cancelling(change: Callable[..., Any]) -> Any:
        if "_commit" in getattr(change, "__qualname__", ""):  # the commit comes through, and nobody hears of it
            await work(change)
            uploading[0].cancel()
            await asyncio.sleep(0)
        return await work(change)

    store.work = cancelling
    uploading.append(asyncio.create_task(both.put(session, 1, rivers.csv_of(20))))
    with pytest.raises(asyncio.CancelledError):
        await uploading[0]
    store.work = work
    view = await start(both, session, 1, 20)
    assert view.total == 20
    await both.work()
    assert (await both.view(session)).told == 20


async def test_a_part_that_is_not_what_was_promised_is_refused(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    body = rivers.csv_of(5)
    with pytest.raises(Invalid) as error:
        await both.put(session, 1, body, digest=hashlib.sha256(b"other").digest())
    assert error.value.code == "digest_mismatch"
    assert await kept(both) == (0, [])
    view = await both.put(session, 1, body, digest=hashlib.sha256(body.encode()).digest())
    assert view.digest == hashlib.sha256(body.encode()).hexdigest()


BAD = "to,name\na@example.com,A\nbroken,B\nc@example.com,\nd@example.com,D\n"


async def test_bad_lines_under_fail_discard_the_part_and_are_all_told(both: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    with pytest.raises(Invalid) as error:
        await both.put(session, 1, BAD)
    assert {fault.line for fault in error.value.faults} == {3, 4}
    assert error.value.count == 2
    assert await kept(both) == (0, [])


async def test_bad_lines_under_skip_are_told_and_count_as_rejected(both: Any) -> None:
    await both.publish()
    session = await both.admit(None, on_invalid=OnInvalid.SKIP, batch_size=2)
    await both.put(session, 1, BAD)
    view = await both.put(session, 2, BAD.replace("@", "2@"))
    assert (view.recipients, view.flaws, len(view.errors)) == (4, 2, 2)
    started = await start(both, session, 2, 8)
    assert (started.outcomes["rejected"], started.outcomes["pending"]) == (4, 4)
    await both.audit()
    await both.work()
    assert await both.states(session) == ["accepted", "rejected", "rejected", "accepted"] * 2
    assert (await both.view(session)).state == "completed_with_failures"


async def test_an_upload_in_which_nobody_is_left_to_tell_is_over_when_it_starts(both: Any) -> None:
    await both.publish()
    session = await both.admit(None, on_invalid=OnInvalid.SKIP)
    await both.put(session, 1, "to,name\nbroken,B\nbroken,C\n")
    view = await start(both, session, 1, 2)
    assert (view.state, view.not_told) == ("failed", 2)


async def test_an_unknown_kind_of_file_and_an_unknown_part_number_are_refused(river: Any, rivers: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    with pytest.raises(Invalid, match="text/csv"):
        await river.put(session, 1, b"x", "application/pdf")
    for part in (0, -1, 1_000_001):
        with pytest.raises(Invalid):
            await river.put(session, part, rivers.csv_of(1))


async def test_ndjson_is_one_recipient_a_line(river: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    await river.put(
        session, 1, '{"to":"a@example.com","data":{"name":"A"}}\n' * 2, "application/x-ndjson; charset=utf-8"
    )
    assert (await start(river, session, 1, 2)).withheld == 1


@pytest.mark.parametrize(("parts", "recipients"), [(1, 14), (2, 13), (3, 14), (0, 0)])
async def test_a_start_that_counted_otherwise_is_refused_and_can_be_made_right(
    both: Any, rivers: Any, parts: int, recipients: int
) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(7))
    await both.put(session, 2, rivers.csv_of(7, 7))
    with pytest.raises(Conflict) as error:
        await start(both, session, parts, recipients)
    assert error.value.code == "parts_mismatch"
    assert (await both.view(session)).state == "staging"
    assert (await start(both, session, 2, 14)).total == 14


async def test_an_empty_upload_is_refused(river: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    with pytest.raises(Invalid):
        await start(river, session, 0, 0)
    await river.put(session, 1, "to,name\n")
    with pytest.raises(Invalid):
        await start(river, session, 1, 0)


async def test_starting_again_is_harmless_at_once_and_later(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(30))
    views = await asyncio.gather(*(start(both, session, 1, 30) for _ in range(4)))
    assert {view.total for view in views} == {30}
    await both.work()
    assert (await start(both, session, 1, 30)).state == "completed"
    assert len(both.provider.arrived) == 30
    with pytest.raises(WrongState) as error:
        await both.put(session, 2, rivers.csv_of(1))
    assert error.value.current == "completed"


class Dying(BaseException):
    pass


async def test_a_start_that_dies_anywhere_is_made_again(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None, on_invalid=OnInvalid.SKIP, batch_size=2)
    await both.put(session, 1, rivers.csv_of(9) + "broken,x\n")
    await both.put(session, 2, rivers.csv_of(9, 3))
    work, steps = both.store.work, 0

    async def mortal(change: Any) -> Any:
        nonlocal steps
        if steps == 0:
            raise Dying
        steps -= 1
        return await work(change)

    deaths, lives = 0, 0
    while True:
        steps = lives
        both.store.work = mortal
        try:
            both.rooms()
            await start(both, session, 2, 19)
        except Dying:
            deaths += 1
            lives += 1
            both.store.work = work
            if (await both.view(session)).state == "staging":
                assert (await both.view(session)).total == 0
                await both.audit()
            continue
        finally:
            both.store.work = work
        break
    assert deaths > 5
    view = await both.view(session)
    assert (view.total, view.withheld, view.outcomes["rejected"]) == (19, 6, 1)
    await both.audit()
    await both.work()
    assert sorted(m.to for m in both.provider.arrived) == sorted(f"p{i}@example.com" for i in range(12))


async def test_duplicates_are_found_over_all_parts_in_the_order_of_the_file(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None, batch_size=3)
    await both.put(session, 2, "to,name\nP1@example.com,second\nx@example.com,X\n")
    await both.put(session, 1, rivers.csv_of(4))
    await both.put(session, 3, "to,name\nx@example.com,third\np1@EXAMPLE.com,third\n")
    view = await start(both, session, 3, 8)
    assert view.withheld == 3
    await both.audit()
    await both.work()
    assert await both.states(session) == ["accepted"] * 4 + ["duplicate", "accepted", "duplicate", "duplicate"]
    assert len({m.to.lower() for m in both.provider.arrived}) == len(both.provider.arrived) == 5


async def test_a_batch_of_duplicates_only_is_done_before_it_began(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None, batch_size=2)
    await both.put(session, 1, rivers.csv_of(2))
    await both.put(session, 2, rivers.csv_of(2))
    await both.put(session, 3, rivers.csv_of(2, 2))
    view = await start(both, session, 3, 6)
    assert view.batches["succeeded"] == 1
    assert await both.work() == 2
    assert (await both.view(session)).state == "completed"


async def test_two_people_whose_hashes_collide_are_both_told(river: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await river.publish()
    session = await river.admit(None)
    real = duplicates.record
    monkeypatch.setattr(duplicates, "record", lambda address, *at, **f: real(b"same....", *at, **f))
    await river.put(session, 1, "to,name\na@example.com,A\nb@example.com,B\nA@example.com,again\n")
    await start(river, session, 1, 3)
    await river.work()
    assert await river.states(session) == ["accepted", "accepted", "duplicate"]


@pytest.mark.parametrize(
    ("one", "two"),
    [("andré@example.com", "andre\u0301@example.com"), ("ÄNNE@bücher.example", "änne@xn--bcher-kva.example")],
)
async def test_one_address_in_two_spellings_is_told_once_inline_and_uploaded(river: Any, one: str, two: str) -> None:
    await river.publish()
    inline = await river.admit([{"to": to, "data": {"name": "x"}} for to in (one, two)])
    session = await river.admit(None)
    await river.put(session, 1, f"to,name\n{one},x\n{two},y\n")
    await start(river, session, 1, 2)
    await river.work()
    assert await river.states(inline) == ["accepted", "duplicate"]
    assert await river.states(session) == ["accepted", "duplicate"]


async def test_a_part_that_is_on_its_way_while_the_session_starts_is_not_torn(both: Any, rivers: Any) -> None:
    """The start fails or the part does; never is a part kept whose people are gone."""
    await both.publish()
    session = await both.admit(None, batch_size=5)
    await both.put(session, 1, rivers.csv_of(5))
    body, half, go_on = rivers.csv_of(12_000, 100).encode(), asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 10_000):
            if at > len(body) * 0.9:
                half.set()
                await go_on.wait()
            yield body[at : at + 10_000]

    coming = asyncio.create_task(both.uploads.put_part(ASKER, session, 2, slow(), content_type="text/csv"))
    await half.wait()
    assert (await kept(both))[0] > 1, "some of it is stored already"
    make_visible = both.uploads._starter._make_visible

    async def late(*given: Any) -> None:
        go_on.set()
        await coming
        await make_visible(*given)

    both.uploads._starter._make_visible = late
    with pytest.raises(Conflict):
        await start(both, session, 1, 5)
    both.uploads._starter._make_visible = make_visible
    await start(both, session, 2, 12_005)
    payloads, orphans = await kept(both)
    assert (payloads, orphans) == (2401, [])


async def test_nothing_is_taken_in_or_started_below_the_reserve_of_the_disk(river: Any, rivers: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    await river.put(session, 1, rivers.csv_of(2))
    river.store.free = 10
    with pytest.raises(Unavailable):
        await river.put(session, 2, rivers.csv_of(2))
    with pytest.raises(Unavailable):
        await start(river, session, 1, 2)
    river.store.free = 1 << 30
    assert (await start(river, session, 1, 2)).total == 2


async def test_a_scheduled_upload_waits(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None, send_at=both.clock.now() + 50)
    await both.put(session, 1, rivers.csv_of(2))
    assert (await start(both, session, 1, 2)).state == "scheduled"
    both.clock.advance(51)
    await both.chores()
    await both.work()
    assert (await both.view(session)).told == 2


async def test_an_upload_nobody_starts_is_reaped_after_seven_days(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(2))
    both.clock.advance(7 * 86_400 - 10)
    await both.housekeeper.seldom()
    assert (await both.view(session)).state == "staging"
    both.clock.advance(20)
    await both.housekeeper.seldom()
    await both.chores()
    assert (await both.view(session)).state == "expired"
    with pytest.raises(WrongState):
        await both.put(session, 2, rivers.csv_of(2))


async def nothing_is_left(river: Any) -> None:
    """Assert that no row of an upload is there any more."""

    def look(work: Any) -> list[Any]:
        found = [work.parts.all(1), list(work.parts.orphan_blocks(1)), work.batches.page(1, 0, 10)]
        hash8 = river.seal.index.of("p0@example.com")
        return [*found, work.addresses.find(1, hash8[:8], None, 10)]

    assert await river.store.read(look) == [[], [], [], []]


@pytest.mark.parametrize("how", ["cancel", "reap"])
async def test_an_upload_that_never_starts_leaves_nothing_behind(
    both: Any, rivers: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "_AT_ONCE", 2)
    await both.publish()
    session = await both.admit(None, batch_size=1)
    await both.put(session, 1, rivers.csv_of(5))
    await both.put(session, 1, rivers.csv_of(5))  # the first one's rows are orphans now
    both.points.kill("K0")
    with pytest.raises(rivers.Killed):
        await start(both, session, 1, 5)
    if how == "cancel":
        await both.control.cancel(ASKER, session)
    else:
        both.clock.advance(7 * 86_400 + 1)
        await both.housekeeper.seldom()
    await both.chores()
    await nothing_is_left(both)
    view = await both.view(session)
    assert (view.state, view.total) == ("cancelled" if how == "cancel" else "expired", 0)
    await both.audit()


async def test_a_cancelled_upload_is_not_redriven_to_a_success_with_nobody(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(2))
    await both.control.cancel(ASKER, session)
    for _ in range(2):
        with pytest.raises(WrongState) as refused:
            await both.control.redrive(ASKER, session, Redrive())
        assert (refused.value.code, refused.value.current) == ("never_started", "cancelled")
        await both.chores()
    assert (await both.view(session)).state == "cancelled"


async def test_a_start_that_a_cancel_overtakes_leaves_nothing_behind(both: Any, rivers: Any) -> None:
    await both.publish()
    session = await both.admit(None)
    await both.put(session, 1, rivers.csv_of(2))
    hash8 = both.seal.index.of("p0@example.com")[:8]
    segment = (hash8[0], hash8 + (1).to_bytes(4, "big") + bytes(4))
    starter = both.uploads._starter
    visible = starter._make_visible

    async def overtaken(*given: Any) -> None:
        await both.control.cancel(ASKER, session)
        await both.chores()
        await both.store.work(lambda w: w.addresses.add_segments(1, 1, [segment]))  # one that was on its way
        await visible(*given)

    starter._make_visible = overtaken
    with pytest.raises(WrongState):
        await start(both, session, 1, 2)
    await nothing_is_left(both)


async def test_nobody_else_puts_parts_and_a_message_takes_none(river: Any, rivers: Any) -> None:
    await river.publish()
    session = await river.admit(None)
    stranger = Asker(workspace=2, key=b"s" * 16)
    with pytest.raises(Missing):
        await river.uploads.put_part(stranger, session, 1, rivers.chunks(b""), content_type="text/csv")
    with pytest.raises(Missing):
        await river.uploads.start(stranger, session, parts=0, recipients=0)
    row = await river.store.read(lambda w: w.sessions.by_number(1))
    await river.seal.shred(row.key_id)
    with pytest.raises(Gone):
        await river.put(session, 1, rivers.csv_of(1))
