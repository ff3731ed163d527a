"""Admission of inline audiences and messages: all or nothing, all faults at once, the same answer again."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pagerd.core.errors import Conflict, Gone, Invalid, Unavailable
from pagerd.core.policy import OnInvalid
from pagerd.core.requests import Asker, ProviderDraft, Retry, SessionRequest
from pagerd.core.views import SessionView
from pagerd.session.admission import Admission
from pagerd.session.answers import Answers

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
NOW = 1_800_000_000.0


def pointers(error: Invalid) -> set[str]:
    return {fault.pointer or "" for fault in error.faults}


async def rows(river: Any) -> int:
    return len(await river.store.read(lambda w: w.sessions.next_after(0, 1000)))


async def refused(river: Any, people: Any, **fields: Any) -> Invalid:
    with pytest.raises(Invalid) as error:
        await river.admit(people, **fields)
    assert await rows(river) == 0, "nothing is half admitted"
    return error.value


async def test_a_session_is_durable_with_its_batches_and_says_so(both: Any) -> None:
    await both.publish()
    request = SessionRequest(template="hello@1", recipients=[{"to": "a@example.com", "data": {"name": "A"}}] * 1)
    answer = await both.admission.admit(ASKER, request, None)
    view = msgspec.json.decode(answer.body, type=SessionView)
    assert (answer.status, answer.replayed) == (202, False)
    assert (view.state, view.total, view.to_go, view.template) == ("ready", 1, 1, "hello@1")
    assert msgspec.structs.replace(view, reference=None) == await both.view(view.id)


@pytest.mark.parametrize(
    ("people", "size", "sizes"), [(12, 5, [5, 5, 2]), (10, 5, [5, 5]), (1, 5, [1]), (3, 1, [1, 1, 1])]
)
async def test_people_are_cut_in_order_into_batches_of_the_size(
    both: Any, people: int, size: int, sizes: list[int]
) -> None:
    await both.publish()
    session = await both.admit(people, batch_size=size)
    batches = (await both.accounts.batches(ASKER, session, state=None, limit=50, cursor=None)).items
    assert [(b.no, b.size, b.state) for b in batches] == [(i + 1, n, "ready") for i, n in enumerate(sizes)]
    assert [(p.line, p.to) for p in await both.people(session)] == [(i + 1, f"p{i}@example.com") for i in range(people)]


async def test_a_template_s_batch_size_goes_before_the_installation_s_and_the_session_s_before_both(river: Any) -> None:
    await river.publish(batch_size=3)
    assert (await river.view(await river.admit(9))).batches["total"] == 3
    assert (await river.view(await river.admit(9, batch_size=2))).batches["total"] == 5


async def test_all_that_is_wrong_with_an_audience_is_told_at_once_and_where(both: Any) -> None:
    await both.publish()
    people = [
        {"to": "nobody", "data": {"name": "A"}},
        {"to": "b@example.com", "data": {}},
        {"to": "c@example.com", "data": {"name": "C"}, "locale": "!!"},
        "not an object",
        {"to": "e@example.com", "data": {"name": "E"}},
        {"data": {"name": "F"}},
    ]
    error = await refused(both, people)
    at = "/audience/recipients"
    assert {f"{at}/0/to", f"{at}/2/locale"} <= pointers(error)
    assert {p.split("/")[3] for p in pointers(error)} == {"0", "1", "2", "3", "5"}
    assert error.count >= 5


async def test_of_a_thousand_faults_a_hundred_are_shown_and_all_counted(river: Any) -> None:
    await river.publish()
    error = await refused(river, [{"to": "x", "data": {"name": "X"}}] * 1000)
    assert (len(error.faults), error.count) == (100, 1000)


async def test_under_skip_bad_rows_are_rejected_and_the_rest_is_told(both: Any) -> None:
    await both.publish()
    people = [
        {"to": "a@example.com", "data": {"name": "A"}},
        {"to": "broken", "data": {"name": "B"}},
        {"to": "c@example.com", "data": {}},
        {"to": "d@example.com", "data": {"name": "D"}},
    ]
    session = await both.admit(people, on_invalid=OnInvalid.SKIP)
    view = await both.view(session)
    assert (view.outcomes["rejected"], view.outcomes["pending"]) == (2, 2)
    assert {(r.reason_class, r.retryable) for r in view.reasons} == {("invalid", False)}
    await both.work()
    assert await both.states(session) == ["accepted", "rejected", "rejected", "accepted"]
    assert [p.line for p in await both.people(session, state="rejected")] == [2, 3]


async def test_a_session_in_which_nobody_is_left_to_tell_is_over_at_once(both: Any) -> None:
    await both.publish()
    session = await both.admit([{"to": "broken", "data": {"name": "B"}}] * 7, on_invalid=OnInvalid.SKIP)
    view = await both.view(session)
    assert (view.state, view.not_told, view.finished_at is not None) == ("failed", 7, True)
    assert await both.work() == 0


async def test_the_same_address_is_told_once(both: Any) -> None:
    await both.publish()
    same = ["ada@example.com", "ADA@Example.com", "bob@example.com", "ada@EXAMPLE.COM"]
    session = await both.admit([{"to": to, "data": {"name": to}} for to in same], batch_size=2)
    await both.work()
    assert await both.states(session) == ["accepted", "duplicate", "accepted", "duplicate"]
    view = await both.view(session)
    assert (view.state, view.told, view.withheld) == ("completed", 2, 2)
    (reason,) = view.reasons
    assert (reason.state, reason.reason_class, reason.code, reason.count) == (
        "duplicate",
        "duplicate",
        "same_address",
        2,
    )


async def test_a_refused_row_does_not_make_a_good_one_a_duplicate(river: Any) -> None:
    await river.publish()
    people = [{"to": "ada@example.com", "data": {}}, {"to": "ada@example.com", "data": {"name": "Ada"}}]
    session = await river.admit(people, on_invalid=OnInvalid.SKIP)
    await river.work()
    assert await river.states(session) == ["rejected", "accepted"]


async def test_an_empty_audience_is_refused(river: Any) -> None:
    await river.publish()
    assert (await refused(river, [])).code == "audience_empty"


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"template": "nothing"}, "template_unknown", "/template"),
        ({"template": "draft"}, "template_unpublished", "/template"),
        ({"template": "hello@7"}, "version_unknown", "/template"),
        ({"channel": "sms"}, "variant_missing", "/channel"),
        ({"sender": "a@example.com\r\nBcc: x@example.com"}, None, "/from"),
        ({"expires_at": NOW - 1}, "expired_already", "/expires_at"),
        ({"expires_at": NOW + 50, "send_at": NOW + 60}, "expired_already", "/expires_at"),
        ({"ttl": 0}, "out_of_range", "/ttl"),
        ({"ttl": 400 * 86_400}, "out_of_range", "/ttl"),
        ({"data": {"count": "many"}}, None, "/data/count"),
    ],
)
async def test_what_the_request_itself_has_wrong(river: Any, fields: Any, code: str | None, pointer: str) -> None:
    await river.publish(variables=[{"name": "name", "required": True}, {"name": "count", "type": "integer"}])
    from pagerd.core.templates import TemplateDraft

    draft = {"variants": [{"channel": "email", "subject": "x", "text": "y"}]}
    await river.templates.save(1, "draft", msgspec.convert(draft, TemplateDraft))
    if "channel" in fields:
        from pagerd.core.policy import Channel

        fields = {"channel": Channel(fields["channel"])}
    error = await refused(river, 2, **fields)
    assert pointer in pointers(error)
    assert code in (None, error.faults[0].code)


async def test_no_provider_and_no_sender_are_said(river: Any) -> None:
    await river.publish()
    await river.providers.load(1, {"mail": ProviderDraft(kind="memory", settings={"from": None})})
    assert (await refused(river, 1)).faults[0].code == "sender_missing"
    await river.providers.load(1, {"mail": ProviderDraft(kind="memory", enabled=False)})
    assert (await refused(river, 1)).faults[0].code == "provider_missing"


async def test_several_faults_of_the_request_come_together(river: Any) -> None:
    await river.publish(variables=[{"name": "name"}, {"name": "count", "type": "integer"}])
    error = await refused(river, 1, ttl=0, data={"count": "x"}, sender="not an address")
    assert {"/ttl", "/data/count", "/from"} <= pointers(error)


async def test_nothing_is_admitted_below_the_reserve_of_the_disk(river: Any) -> None:
    await river.publish()
    river.store.free = 999
    for asked in (river.admit(1), river.admit(None), river.message()):
        with pytest.raises(Unavailable) as full:
            await asked
        assert (full.value.code, full.value.retry_after) == ("disk_low", 60)
    assert await rows(river) == 0
    river.store.free = 1000
    await river.admit(1)


async def test_a_scheduled_session_waits_for_its_time(both: Any) -> None:
    await both.publish()
    session = await both.admit(3, send_at=NOW + 100, ttl=60)
    assert (await both.view(session)).state == "scheduled"
    await both.chores()
    assert await both.work() == 0
    both.clock.advance(100)
    await both.chores()
    assert (await both.view(session)).state == "ready"
    await both.work()
    assert (await both.view(session)).told == 3


async def test_a_ttl_counts_from_when_it_may_be_sent_first(both: Any) -> None:
    await both.publish()
    session = await both.admit(3, send_at=NOW + 100, ttl=60)
    row = await both.store.read(lambda w: w.sessions.by_number(1))
    assert row.expires_at == NOW + 160
    both.clock.advance(161)
    await both.chores()
    await both.chores()
    view = await both.view(session)
    assert (view.state, view.outcomes["expired"]) == ("expired", 3)
    assert both.provider.arrived == []


async def test_a_time_to_send_that_is_over_means_now(river: Any) -> None:
    await river.publish()
    assert (await river.view(await river.admit(1, send_at=NOW - 5))).state == "ready"


# -- the same request again ---------------------------------------------------------------------------------------


async def test_the_same_request_again_gets_the_same_answer(both: Any) -> None:
    await both.publish()
    retry = Retry(key="order 17 of ada@example.com", body=b"{}")
    request = SessionRequest(template="hello", recipients=[{"to": "a@example.com", "data": {"name": "A"}}])
    first = await both.admission.admit(ASKER, request, retry)
    await both.work()
    again = await both.admission.admit(ASKER, request, retry)
    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    assert await rows(both) == 1


async def test_a_key_with_another_body_is_refused(both: Any) -> None:
    await both.publish()
    await both.admit(1, retry=Retry(key="k", body=b"one"))
    with pytest.raises(Invalid) as error:
        await both.admit(1, retry=Retry(key="k", body=b"two"))
    assert error.value.code == "idempotency_key_reused"
    assert await rows(both) == 1


async def test_keys_of_test_and_live_do_not_meet(river: Any) -> None:
    await river.publish()
    retry = Retry(key="k", body=b"one")
    request = SessionRequest(template="hello", recipients=[{"to": "a@example.com", "data": {"name": "A"}}])
    live = await river.admission.admit(ASKER, request, retry)
    other = await river.admission.admit(msgspec.structs.replace(ASKER, live=False), request, retry)
    assert not other.replayed
    assert live.body != other.body


async def test_of_two_at_once_one_is_told_to_wait(both: Any) -> None:
    await both.publish()
    retry = Retry(key="k", body=b"one")
    said = await asyncio.gather(*(both.admit(2, retry=retry) for _ in range(5)), return_exceptions=True)
    refusals = [error for error in said if isinstance(error, Conflict)]
    assert [error.code for error in refusals] == ["idempotency_in_progress"] * 4
    assert refusals[0].retry_after == 1
    assert await rows(both) == 1


async def test_of_two_processes_at_once_both_give_the_answer_of_the_quicker(both: Any) -> None:
    await both.publish()
    desk = both.admission._d
    other = Admission(msgspec.structs.replace(desk, answers=Answers(desk.store, desk.seal, desk.clock)))
    retry = Retry(key="k", body=b"one")
    request = SessionRequest(template="hello", recipients=[{"to": "a@example.com", "data": {"name": "A"}}])
    said = await asyncio.gather(*(one.admit(ASKER, request, retry) for one in (both.admission, other)))
    assert said[0].body == said[1].body
    assert [answer.replayed for answer in said].count(True) == 1
    assert await rows(both) == 1


async def test_a_refused_request_keeps_no_answer(river: Any) -> None:
    await river.publish()
    retry = Retry(key="k", body=b"one")
    with pytest.raises(Invalid):
        await river.admit([], retry=retry)
    assert await river.admit(1, retry=retry)


async def test_no_kept_answer_and_no_key_can_be_read_in_the_store(both: Any, tmp_path: Any) -> None:
    await both.publish()
    await both.message("canary@example.com", retry=Retry(key="canary-key", body=b"canary-body"), reference="canary-ref")
    await both.admit(
        [{"to": "canary@example.com", "data": {"name": "canary-name"}}],
        reference="canary-ref",
        metadata={"canary": "canary-meta"},
        retry=Retry(key="canary-key-2", body=b"canary-body"),
    )
    await both.work()
    if tmp_path.joinpath("pagerd.db").exists():
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("pagerd.db*"))
    else:
        kept = b"".join(
            row if isinstance(row, bytes) else msgspec.msgpack.encode(row)
            for room in vars(both.store.tables).values()
            for table in vars(room).values()
            if hasattr(table, "_rows")
            for row in table._rows.values()
        )
    assert len(kept) > 1000
    assert b"canary" not in kept


async def test_the_answer_is_gone_with_the_session_s_key(river: Any) -> None:
    await river.publish()
    retry = Retry(key="k", body=b"one")
    await river.admit(1, retry=retry)
    row = await river.store.read(lambda w: w.sessions.by_number(1))
    await river.seal.shred(row.key_id)
    with pytest.raises(Gone):
        await river.admit(1, retry=retry)
    await river.work()


@pytest.mark.parametrize("point", ["K0", "K1"])
async def test_a_death_around_the_commit_leaves_all_or_nothing(both: Any, rivers: Any, point: str) -> None:
    await both.publish()
    retry = Retry(key="k", body=b"one")
    both.points.kill(point)
    with pytest.raises(rivers.Killed):
        await both.admit(7, retry=retry)
    assert await rows(both) == (0 if point == "K0" else 1)
    session = await both.admit(7, retry=retry)
    assert await rows(both) == 1
    await both.work()
    assert (await both.view(session)).told == 7
    assert len(both.provider.arrived) == 7


# -- messages -----------------------------------------------------------------------------------------------------


async def test_a_message_is_one_person_and_no_listed_session(both: Any) -> None:
    await both.publish()
    rcp = await both.message("ada@example.com", ttl=300)
    assert rcp.startswith("rcp_")
    assert (await both.accounts.sessions(ASKER, limit=10, cursor=None, state=None)).items == []
    await both.work()
    timeline = await both.accounts.recipient(ASKER, rcp)
    assert (timeline.recipient.state, timeline.session_state) == ("accepted", "completed")
    assert [a.outcome for a in timeline.attempts] == ["ok"]


async def test_messages_of_an_hour_share_a_key(river: Any) -> None:
    await river.publish()
    for _ in range(3):
        await river.message()
    river.clock.advance(3600)
    await river.message()
    keys = [row.key_id for row in await river.store.read(lambda w: w.sessions.next_after(0, 10))]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


@pytest.mark.parametrize(
    ("to", "data", "pointer"),
    [("nobody", {"name": "A"}, "/to"), ("a@example.com", {}, "/data"), ({"email": "x"}, {"name": "A"}, "/to")],
)
async def test_a_message_to_nobody_is_refused(river: Any, to: Any, data: Any, pointer: str) -> None:
    await river.publish()
    with pytest.raises(Invalid) as error:
        await river.message(to, data=data)
    assert any(p.startswith(pointer) for p in pointers(error.value))
    assert await rows(river) == 0


async def test_a_message_s_answer_is_kept_for_a_day(river: Any) -> None:
    await river.publish()
    retry = Retry(key="m", body=b"one")
    first = await river.message(retry=retry)
    river.clock.advance(86_300)
    assert await river.message(retry=retry) == first
    river.clock.advance(200)
    assert await river.message(retry=retry) != first


# -- the dry run ----------------------------------------------------------------------------------------------------


async def test_a_check_says_everything_and_keeps_nothing(river: Any) -> None:
    await river.publish(subject="For {{ name }}")
    people = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(15)]
    people += [{"to": "P0@example.com", "data": {"name": "again"}}, {"to": "broken", "data": {"name": "x"}}]
    keys = len(river.keystore._keys)
    for on_invalid in OnInvalid:
        view = await river.admission.check(
            ASKER, SessionRequest(template="hello", recipients=people, on_invalid=on_invalid)
        )
        assert (view.recipients, view.valid, view.duplicates, view.error_count) == (17, 16, 1, 1)
        assert [r["subject"] for r in view.rendered] == [f"For N{i}" for i in range(10)]
    assert await rows(river) == 0
    assert len(river.keystore._keys) == keys
