"""What the ledger tells: sessions with their balance, people and batches page by page, timelines, and searches."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.provider import LATER, LOST_ANSWER, REFUSED, Answer
from pagerd.core import ids
from pagerd.core.errors import Invalid, Missing
from pagerd.core.outcomes import FailureClass
from pagerd.core.policy import OnDoubt, OnInvalid
from pagerd.core.requests import Asker

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
BLIND = Asker(workspace=1, key=b"b" * 16)
STRANGER = Asker(workspace=2, key=b"s" * 16)


async def everyone(river: Any, session: str, limit: int, **filters: Any) -> list[Any]:
    """Return all pages of a list of people, one after another."""
    found: list[Any] = []
    cursor = None
    given = {"state": None, "reason_class": None, "code": None} | filters
    while True:
        page = await river.accounts.recipients(ASKER, session, **given, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == limit


async def mixed(river: Any, **fields: Any) -> str:
    """Return a session with people in many states."""
    await river.publish()
    people: list[Any] = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}, "id": f"c-{i}"} for i in range(20)]
    people[3] = {"to": "broken", "data": {"name": "x"}}
    people[7] = people[2]
    session = await river.admit(people, on_invalid=OnInvalid.SKIP, on_doubt=OnDoubt.HOLD, **fields)
    river.provider.say("p1@example.com", REFUSED)
    river.provider.say("p4@example.com", LATER)
    river.provider.say("p5@example.com", LOST_ANSWER)
    for claim in await river.claim(n=3):
        await river.lane(claim)
    return str(session)


async def test_a_session_is_shown_with_exactly_the_fields_of_the_interface(both: Any) -> None:
    session = await mixed(both, reference="order-17", metadata={"team": "a"})
    raw = msgspec.json.decode(msgspec.json.encode(await both.view(session)))
    assert set(raw) >= {
        "id", "state", "live", "template", "channel", "batch_size", "round", "total", "told", "withheld", "not_told",
        "in_doubt", "to_go", "outcomes", "receipts", "possible_duplicates", "reasons", "batches", "rate_per_second",
        "estimated_finish_at", "created_at", "started_at", "finished_at", "reference", "metadata",
    }  # fmt: skip
    assert set(raw["outcomes"]) == {
        "pending", "deferred", "sending", "accepted", "failed", "suppressed", "duplicate", "rejected", "in_doubt",
        "unknown", "expired", "cancelled",
    }  # fmt: skip
    assert set(raw["receipts"]) == {"delivered", "bounced", "complained", "none"}
    assert {"total", "ready", "waiting", "dispatching", "succeeded", "failed"} <= set(raw["batches"])
    assert all(set(reason) == {"state", "class", "code", "count", "retryable"} for reason in raw["reasons"])
    assert (raw["template"], raw["channel"], raw["live"], raw["round"]) == ("hello@1", "email", True, 1)
    assert (raw["reference"], raw["metadata"]) == ("order-17", {"team": "a"})
    assert (raw["told"], raw["withheld"], raw["not_told"], raw["in_doubt"], raw["to_go"]) == (10, 1, 2, 1, 6)
    assert raw["created_at"] == "2027-01-15T08:00:00.000Z"
    counted = {(r["state"], r["class"], r["code"]): (r["count"], r["retryable"]) for r in raw["reasons"]}
    assert counted == {
        ("failed", "permanent_address", "550 5.1.1"): (1, False),
        ("rejected", "invalid", "address_invalid"): (1, False),
        ("duplicate", "duplicate", "same_address"): (1, False),
        ("in_doubt", "in_doubt", "no_answer"): (1, False),
    }


@pytest.mark.parametrize("after", [0.125, 1.0, 19.0, 50.0, 3600.0, 86_400.0 * 3])
async def test_a_slow_session_is_shown_too(both: Any, after: float) -> None:
    await both.publish()
    session = await both.admit(10)
    for i in range(1, 10):
        both.provider.say(f"p{i}@example.com", *[LATER] * 50)
    await both.work()
    both.clock.advance(after)
    view = await both.view(session)
    assert view.told == 1
    assert view.rate_per_second == round(1 / after, 1)
    assert (view.estimated_finish_at is None) == (view.rate_per_second == 0)


async def test_rate_and_estimate_say_how_it_goes(river: Any) -> None:
    await river.publish()
    session = await river.admit(100)
    before = await river.view(session)
    assert (before.rate_per_second, before.estimated_finish_at, before.started_at) == (None, None, None)
    for claim in await river.claim(n=8):
        await river.lane(claim)
    river.clock.advance(4)
    view = await river.view(session)
    assert (view.rate_per_second, view.estimated_finish_at) == (10.0, "2027-01-15T08:00:10.000Z")
    await river.work()
    river.clock.advance(100)
    view = await river.view(session)
    assert (view.rate_per_second, view.estimated_finish_at) == (25.0, None)
    assert view.finished_at == "2027-01-15T08:00:04.000Z"


async def test_sessions_are_listed_newest_first_page_by_page(both: Any) -> None:
    await both.publish()
    made = [await both.admit(1) for _ in range(7)]
    await both.message()
    await both.control.cancel(ASKER, made[2])
    found: list[str] = []
    cursor = None
    while True:
        page = await both.accounts.sessions(ASKER, limit=3, cursor=cursor, state=None)
        found += [view.id for view in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == made[::-1]
    (only,) = (await both.accounts.sessions(ASKER, limit=3, cursor=None, state="cancelled")).items
    assert only.id == made[2]
    assert (await both.accounts.sessions(STRANGER, limit=3, cursor=None, state=None)).items == []
    await both.chores()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
async def test_people_are_listed_in_file_order_page_by_page(both: Any, limit: int) -> None:
    session = await mixed(both)
    people = await everyone(both, session, limit)
    assert [p.line for p in people] == list(range(1, 21))
    assert [p.reference for p in people[:3]] == ["c-0", "c-1", "c-2"]
    assert len({p.id for p in people}) == 20
    for state in {p.state for p in people}:
        some = await everyone(both, session, limit, state=state)
        assert [p.line for p in some] == [p.line for p in people if p.state == state], state
    for kind in ("permanent_address", "invalid", "duplicate", "transient", "in_doubt"):
        some = await everyone(both, session, limit, reason_class=kind)
        assert [p.line for p in some] == [p.line for p in people if p.reason and p.reason.reason_class == kind], kind
        assert some, kind
    assert [p.line for p in await everyone(both, session, limit, code="550 5.1.1")] == [2]
    assert await everyone(both, session, limit, code="never said") == []
    assert await everyone(both, session, limit, state="failed", reason_class="invalid") == []


async def test_addresses_are_masked_for_who_may_not_read_them(river: Any) -> None:
    session = await mixed(river)
    given = {"state": None, "reason_class": None, "code": None, "limit": 5, "cursor": None}
    page = await river.accounts.recipients(BLIND, session, **given)
    assert [p.to for p in page.items] == ["p…@example.com"] * 3 + ["br…"] + ["p…@example.com"]
    raw = msgspec.json.encode(page)
    assert b"p0@" not in raw
    timeline = await river.accounts.recipient(BLIND, page.items[0].id)
    assert timeline.recipient.to == "p…@example.com"


@pytest.mark.parametrize("closed", [False, True])
async def test_a_session_of_many_batches_is_listed_whole(river: Any, rivers: Any, closed: bool) -> None:
    """More batches than one read takes (500), with settled people at the door here and there."""
    await river.publish()
    people = rivers.persons(1203)
    for at in (5, 600, 601, 1202):
        people[at] = {"to": "broken", "data": {"name": "x"}}
    people[1100] = people[0]
    session = await river.admit(people, batch_size=2, on_invalid=OnInvalid.SKIP)
    for claim in await river.claim(n=8):
        await river.lane(claim)
    if closed:
        await river.control.cancel(ASKER, session)
    view = await river.view(session)
    found = await everyone(river, session, 500)
    assert [p.line for p in found] == list(range(1, 1204))
    left = "cancelled" if closed else "pending"
    assert [p.line for p in await everyone(river, session, 500, state="rejected")] == [6, 601, 602, 1203]
    assert [p.line for p in await everyone(river, session, 500, state="duplicate")] == [1101]
    assert len(await everyone(river, session, 500, state=left)) == view.outcomes[left] == 1183
    if closed:
        assert len(await everyone(river, session, 500, reason_class="cancelled")) == 1183
        await river.chores()
    nos, cursor = [], None
    while True:
        page = await river.accounts.batches(ASKER, session, state=None, limit=250, cursor=cursor)
        nos += [b.no for b in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert nos == list(range(1, 603))


async def test_batches_say_what_became_of_them(both: Any) -> None:
    session = await mixed(both)
    page = await both.accounts.batches(ASKER, session, state=None, limit=50, cursor=None)
    assert [(b.no, b.state, b.size, b.claims, b.effects) for b in page.items] == [
        (1, "waiting", 5, 1, "partial"),
        (2, "waiting", 5, 1, "partial"),
        (3, "succeeded", 5, 1, "all"),
        (4, "ready", 5, 0, "none_yet"),
    ]
    assert page.items[0].outcomes == {"accepted": 2, "failed": 1, "rejected": 1, "deferred": 1}
    assert [
        b.no for b in (await both.accounts.batches(ASKER, session, state="waiting", limit=50, cursor=None)).items
    ] == [1, 2]
    assert all(ids.read_batch_id(b.id)[1] == b.no for b in page.items)


BAD_CURSORS = ["x", "1", "1.", ".1", "-1.0", "1.0.0", "²", "²." + "³", "٣.٣", "1e3.0", "9" * 30 + ".0", " 1.0", "\0"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
async def test_a_cursor_that_no_list_gave_is_refused(both: Any, cursor: str) -> None:
    session = await mixed(both)
    with pytest.raises(Invalid) as refused:
        await both.people(session, cursor=cursor)
    assert refused.value.code == "cursor_invalid"
    if cursor != "1":
        with pytest.raises(Invalid):
            await both.accounts.batches(ASKER, session, state=None, limit=5, cursor=cursor)


async def test_a_cursor_beyond_the_end_finds_nobody(both: Any) -> None:
    session = await mixed(both)
    assert await both.people(session, cursor="4000000000.9") == []
    assert (await both.accounts.batches(ASKER, session, state=None, limit=5, cursor="99")).items == []


async def test_a_timeline_tells_every_attempt_with_the_words_of_the_provider(both: Any) -> None:
    await both.publish()
    session = await both.admit(2)
    words = "user unknown: p0@example.com"
    later = Answer(kind=FailureClass.TRANSIENT, code="451 4.3.0", text="try later", arrives=False)
    both.provider.say("p0@example.com", later, LOST_ANSWER, Answer(
        kind=FailureClass.PERMANENT_ADDRESS, code="550 5.1.1", text=words, arrives=False))  # fmt: skip
    await both.work()
    both.clock.advance(62)
    await both.work()
    person = (await both.people(session))[0]
    timeline = await both.accounts.recipient(ASKER, person.id)
    assert [(a.outcome, a.code, a.text, a.provider) for a in timeline.attempts] == [
        ("transient", "451 4.3.0", "try later", "mail"),
        ("in_doubt", "no_answer", "", "mail"),
        ("permanent_address", "550 5.1.1", words, "mail"),
    ]
    assert [a.token for a in timeline.attempts] == [1, 2, 3]
    assert timeline.attempts[0].started_at == "2027-01-15T08:00:00.000Z"
    assert (timeline.recipient.state, timeline.recipient.possible_duplicate) == ("failed", True)
    assert (timeline.template, timeline.session_state) == ("hello@1", "completed_with_failures")
    neighbour = await both.accounts.recipient(ASKER, (await both.people(session))[1].id)
    assert [a.outcome for a in neighbour.attempts] == ["ok"]


async def test_a_made_up_recipient_is_not_there(both: Any) -> None:
    session = await mixed(both)
    real = (await both.people(session))[0].id
    place, tail = ids.read_recipient_id(real)
    made_up = [
        ids.recipient_id(place._replace(idx=1), tail),
        ids.recipient_id(place._replace(no=2), tail),
        ids.recipient_id(place, bytes(6)),
        real[:-3] + "zz0",
        "rcp_x",
        session,
    ]
    for text in made_up:
        with pytest.raises(Missing):
            await both.accounts.recipient(ASKER, text)
    beyond = place._replace(no=99)
    true_tail = both.seal.index.tail(ids.place_bytes(beyond))
    with pytest.raises(Missing):
        await both.accounts.recipient(ASKER, ids.recipient_id(beyond, true_tail))
    with pytest.raises(Missing):
        await both.accounts.recipient(STRANGER, real)


async def test_one_address_is_found_over_all_sessions_and_in_every_spelling(both: Any, rivers: Any) -> None:
    await both.publish()
    first = await both.admit(3)
    second = await both.admit([{"to": "P1@Example.COM", "data": {"name": "x"}}, *rivers.persons(1)])
    uploaded = await both.admit(None)
    await both.put(uploaded, 1, rivers.csv_of(50))
    await both.uploads.start(ASKER, uploaded, parts=1, recipients=50)
    message = await both.message("p1@example.com")
    await both.work()
    found = await both.accounts.search(ASKER, " p1@EXAMPLE.com ", session=None, since=None)
    assert [t.recipient.session for t in found][1:] == [uploaded, second, first]
    assert found[0].recipient.id == message
    assert {t.recipient.state for t in found} == {"accepted"}
    (only,) = await both.accounts.search(ASKER, "p1@example.com", session=first, since=None)
    assert only.recipient.line == 2
    assert await both.accounts.search(ASKER, "nobody@example.com", session=None, since=None) == []
    assert await both.accounts.search(STRANGER, "p1@example.com", session=None, since=None) == []
    assert await both.accounts.search(ASKER, "p1@example.com", session=None, since=both.clock.now() + 1) == []
    with pytest.raises(Invalid):
        await both.accounts.search(ASKER, "not an address", session=None, since=None)
    with pytest.raises(Missing):
        await both.accounts.search(STRANGER, "p1@example.com", session=first, since=None)


async def test_a_hit_whose_hash_is_somebody_else_s_is_not_told(river: Any) -> None:
    await river.publish()
    await river.admit(
        [{"to": "ada@example.com", "data": {"name": "A"}}, {"to": "bob@example.com", "data": {"name": "B"}}]
    )
    hash8 = river.seal.index.of("ada@example.com")[:8]
    await river.store.work(lambda w: w.addresses.add_small(1, 1, [(hash8, 1, 1)]))  # as if bob's began the same
    found = await river.accounts.search(ASKER, "ada@example.com", session=None, since=None)
    assert [t.recipient.to for t in found] == ["ada@example.com"]


async def test_a_search_passes_over_sessions_whose_key_is_shredded(both: Any) -> None:
    await both.publish()
    await both.admit(1)
    later = await both.admit(1)
    await both.work()
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    await both.seal.shred(row.key_id)
    found = await both.accounts.search(ASKER, "p0@example.com", session=None, since=None)
    assert [t.recipient.session for t in found] == [later]


async def test_waiting_for_a_message_ends_with_its_outcome(river: Any) -> None:
    await river.publish()
    message = await river.message()
    assert (await river.accounts.settled(ASKER, message, 0.0)).recipient.state == "pending"
    await river.work()
    assert (await river.accounts.settled(ASKER, message, 30.0)).recipient.state == "accepted"


async def test_what_is_not_there_is_said(both: Any) -> None:
    await both.publish()
    session = await both.admit(1)
    for asker, text in ((STRANGER, session), (ASKER, session[:-2] + "00"), (ASKER, "ses_x"), (ASKER, "")):
        with pytest.raises(Missing):
            await both.accounts.session(asker, text)
        with pytest.raises(Missing):
            await both.accounts.batches(asker, text, state=None, limit=5, cursor=None)
