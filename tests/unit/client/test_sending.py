"""Telling an audience: inline, in parts, under a key, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pagerd.client import ApiError, AsyncPager, NotTold, Pager, Recipient
from pagerd.client.errors import Invalid


def people(count: int) -> Iterator[Recipient]:
    return (Recipient(f"p{n}@example.com", data={"name": f"P\n{n}"}) for n in range(count))


def test_a_small_audience_travels_inside_the_request(desk, pager: Pager) -> None:
    session = pager.sessions.send(
        "order-shipped",
        channel="email",
        recipients=[Recipient("ada@example.com", data={"total": Decimal("12.50")}), {"to": "bo@example.com"}, "c@d.eu"],
        sender="Shop <hi@shop.example>",
        send_at=datetime(2026, 12, 24, 18, tzinfo=UTC),
        ttl=timedelta(hours=1),
    )
    assert session.view.total == 3
    assert desk.last("POST /v1/sessions").json == {
        "template": "order-shipped",
        "channel": "email",
        "from": "Shop <hi@shop.example>",
        "send_at": "2026-12-24T18:00:00Z",
        "ttl": 3600,
        "audience": {
            "recipients": [
                {"to": "ada@example.com", "data": {"total": 12.5}},
                {"to": "bo@example.com"},
                {"to": "c@d.eu"},
            ]
        },
    }


def test_a_big_audience_is_streamed_in_parts(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=people(25_000))
    assert [len(part) for part in desk.sessions[session.id].parts.values()] == [10_000, 10_000, 5_000]
    assert session.view.total == 25_000
    assert desk.last("POST /v1/sessions/ses_0001/start").json == {"parts": 3, "recipients": 25_000}
    put = desk.last("PUT /v1/sessions")
    assert put.headers["content-type"] == "application/x-ndjson"
    assert json.loads(put.body.splitlines()[-1]) == {"to": "p24999@example.com", "data": {"name": "P\n24999"}}


def test_a_part_is_full_at_four_mebibytes(desk, pager: Pager) -> None:
    long = "x" * 50_000
    pager.sessions.send("news", recipients=(Recipient(f"p{n}@e.eu", data={"a": long}) for n in range(120)))
    sizes = [len(one.body) for one in desk.asked if one.method == "PUT"]
    assert len(sizes) == 2
    assert 4 * 1024**2 <= sizes[0] < 4 * 1024**2 + 51_000


@pytest.mark.parametrize("count", [1_000, 1_001])
def test_the_border_between_inline_and_parts_loses_nobody(desk, pager: Pager, count: int) -> None:
    session = pager.sessions.send("news", recipients=people(count))
    assert [one["to"] for one in desk.sessions[session.id].people] == [f"p{n}@example.com" for n in range(count)]


async def test_an_asynchronous_iterable_is_streamed_by_the_asynchronous_pager(desk, apager: AsyncPager) -> None:
    async def source() -> AsyncIterator[str]:
        for n in range(12_000):
            yield f"p{n}@example.com"

    session = await apager.sessions.send("news", recipients=source())
    assert session.view.total == 12_000
    assert desk.count("PUT /v1/sessions") == 2


async def test_the_asynchronous_pager_takes_a_blocking_iterable_too(apager: AsyncPager) -> None:
    session = await apager.sessions.send("news", recipients=people(3))
    assert session.view.total == 3


def test_the_blocking_pager_refuses_an_asynchronous_iterable(pager: Pager) -> None:
    async def source() -> AsyncIterator[str]:
        yield "ada@example.com"

    with pytest.raises(TypeError, match="AsyncPager"):
        pager.sessions.send("news", recipients=source())


def test_the_same_key_returns_the_session_that_exists(desk, pager: Pager) -> None:
    first = pager.sessions.send("news", recipients=people(2_000), idempotency_key="monday")
    again = pager.sessions.send("news", recipients=people(2_000), idempotency_key="monday")
    assert (first.id, first.replayed) == (again.id, False)
    assert again.replayed
    assert desk.count("PUT") == 1


def test_an_upload_that_broke_off_goes_on_under_the_same_key(desk, pager: Pager) -> None:
    def broken() -> Iterator[Recipient]:
        yield from people(15_000)
        raise OSError("the database went away")

    with pytest.raises(OSError, match="database"):
        pager.sessions.send("news", recipients=broken(), idempotency_key="monday")
    assert desk.sessions["ses_0001"].view["state"] == "staging"
    session = pager.sessions.send("news", recipients=people(15_000), idempotency_key="monday")
    assert (session.id, session.view.total) == ("ses_0001", 15_000)


def test_an_upload_that_broke_off_without_a_key_leaves_nothing_behind(desk, pager: Pager) -> None:
    def broken() -> Iterator[Recipient]:
        yield from people(1_500)
        raise OSError("the database went away")

    with pytest.raises(OSError, match="database"):
        pager.sessions.send("news", recipients=broken())
    assert desk.sessions["ses_0001"].view["state"] == "cancelled"


def test_what_is_wrong_in_a_part_is_named_by_its_place_in_the_whole(pager: Pager) -> None:
    rows = [*people(10_000), Recipient("nobody"), *people(1_000)]
    with pytest.raises(Invalid) as caught:
        pager.sessions.send("news", recipients=rows)
    assert [(fault.line, fault.code) for fault in caught.value.faults] == [(10_001, "address_invalid")]


def test_moments_need_their_offset(pager: Pager) -> None:
    with pytest.raises(ValueError, match="offset from UTC"):
        pager.sessions.send("news", recipients=people(1), send_at=datetime(2026, 12, 24))  # noqa: DTZ001


def test_raise_unless_all_told_names_those_who_are_not(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=people(10))
    desk.settle(session.id, "failed", 2, **{"class": "permanent_address", "code": "550 5.1.1"})
    desk.settle(session.id, "rejected", 1, **{"class": "invalid", "code": "address_invalid"})
    desk.settle(session.id, "suppressed", 1, **{"class": "suppressed", "code": "bounced_before"})
    desk.settle(session.id)
    with pytest.raises(NotTold) as caught:
        session.raise_unless_all_told()
    found = [(one.line, one.reason.code) for one in caught.value.recipients if one.reason]
    assert found == [(1, "550 5.1.1"), (2, "550 5.1.1"), (3, "address_invalid")]
    assert "3 of 10" in str(caught.value)
    session.redrive()
    assert session.view.round == 2
    desk.settle(session.id)
    session.raise_unless_all_told()
    assert session.view.told == 9


def test_raise_unless_all_told_counts_those_still_to_go(pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=people(2))
    with pytest.raises(NotTold, match="2 are still to go"):
        session.raise_unless_all_told()


def test_pages_are_followed_to_the_end(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=people(1_200))
    assert sum(1 for _ in session.recipients(state="pending")) == 1_200
    assert desk.count("GET /v1/sessions/ses_0001/recipients") == 3
    assert [batch.no for batch in session.batches()] == list(range(1, 241))
    assert [view.id for view in pager.sessions.list()] == ["ses_0001"]


def test_a_message_is_waited_for(desk, pager: Pager) -> None:
    desk.on_start = lambda kept: kept.people[0].update(state="accepted")
    message = pager.messages.send("ada@example.com", template="login-code", data={"code": "123"}, ttl=300)
    assert message.wait(5).told
    assert message.timeline is not None
    assert message.timeline.attempts[0].code == "250 2.0.0"
    assert desk.last("POST /v1/messages").json["ttl"] == 300


async def test_a_message_that_is_not_settled_in_time_says_so(apager: AsyncPager) -> None:
    message = await apager.messages.send("ada@example.com", template="login-code")
    waited = await message.wait(0.05)
    assert (waited.told, waited.settled, waited.state) == (False, False, "pending")


def test_everything_about_one_address(pager: Pager) -> None:
    pager.sessions.send("news", recipients=["ada@example.com", "bo@example.com"])
    found = pager.recipients.search("ada@example.com")
    assert [one.recipient.line for one in found] == [1]
    assert pager.recipients.get(found[0].recipient.id) == found[0]


def test_no_name_leads_to_another_path(desk, pager: Pager) -> None:
    with pytest.raises(ApiError):
        pager.sessions.get("x/../../metrics?a=b")
    assert desk.asked[-1].path == "/v1/sessions/x%2F..%2F..%2Fmetrics%3Fa%3Db"
