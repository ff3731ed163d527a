"""Asking again: when, how long after, under which key, and when not."""

from __future__ import annotations

import socket

import pytest

from pagerd.client import ApiError, AsyncPager, Pager, Patience, Unreachable
from pagerd.client.errors import Conflict, NotPager, TooMany, Unavailable
from pagerd.client.patience import patiently, retry_after
from pagerd.client.steps import Ask, Plan, Reply, Request, Rest

LATER = {"retry-after": "0", "content-type": "application/problem+json"}
GET = Request(method="GET", path="/v1/sessions")
POST = Request(method="POST", path="/v1/sessions/ses_1/redrive")


def driven(plan: Plan[Reply], *brought: Reply | Unreachable) -> tuple[list[float], Reply | Exception]:
    """Drive a plan by hand: every Ask is brought the next thing. Returns the rests, and how it ended."""
    rests: list[float] = []
    things = list(brought)
    answer: object = None
    try:
        while True:
            step = plan.throw(answer) if isinstance(answer, Exception) else plan.send(answer)
            if isinstance(step, Rest):
                rests.append(step.seconds)
                answer = None
            else:
                assert isinstance(step, Ask)
                answer = things.pop(0)
    except StopIteration as end:
        return rests, end.value
    except Unreachable as problem:
        return rests, problem


CERTAIN = Patience(tries=4, first=1.0, most=8.0, longest=60.0, chance=lambda: 1.0)


def test_rests_double_up_to_the_most() -> None:
    patience = Patience(tries=7, first=1.0, most=8.0, chance=lambda: 1.0)
    gone = Unreachable("gone", sent=False)
    rests, end = driven(patiently(GET, patience, repeatable=True), *[gone] * 7)
    assert rests == [2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert end is gone


def test_rests_are_a_random_part() -> None:
    patience = Patience(tries=3, first=1.0, chance=lambda: 0.25)
    rests, _ = driven(patiently(GET, patience, repeatable=True), *[Unreachable("gone", sent=False)] * 3)
    assert rests == [0.5, 1.0]


@pytest.mark.parametrize("status", [409, 429, 503])
def test_the_servers_own_wish_is_obeyed(status: int) -> None:
    busy = Reply(status=status, headers={"retry-after": "7"})
    rests, end = driven(patiently(POST, CERTAIN, repeatable=False), busy, Reply(status=200))
    assert rests == [pytest.approx(7 + 2)]
    assert end == Reply(status=200)


def test_a_wish_that_is_too_long_is_raised_instead_of_waited_for() -> None:
    busy = Reply(status=429, headers={"retry-after": "3600"})
    assert driven(patiently(GET, CERTAIN, repeatable=True), busy) == ([], busy)


def test_a_conflict_without_a_wish_is_an_answer() -> None:
    wrong = Reply(status=409)
    assert driven(patiently(GET, CERTAIN, repeatable=True), wrong) == ([], wrong)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_only_what_may_arrive_twice_is_sent_twice(status: int) -> None:
    bad = Reply(status=status)
    assert driven(patiently(POST, CERTAIN, repeatable=False), bad) == ([], bad)
    assert driven(patiently(GET, CERTAIN, repeatable=True), bad, Reply(status=200))[1] == Reply(status=200)


def test_a_broken_answer_is_only_asked_for_again_if_the_request_may_arrive_twice() -> None:
    broken = Unreachable("broke off", sent=True)
    assert driven(patiently(POST, CERTAIN, repeatable=False), broken) == ([], broken)
    assert driven(patiently(GET, CERTAIN, repeatable=True), broken, Reply(status=200))[1] == Reply(status=200)


def test_what_was_never_sent_may_always_be_sent() -> None:
    refused = Unreachable("refused", sent=False)
    assert driven(patiently(POST, CERTAIN, repeatable=False), refused, Reply(status=200))[1] == Reply(status=200)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_other_answers_are_answers(status: int) -> None:
    bad = Reply(status=status)
    assert driven(patiently(GET, CERTAIN, repeatable=True), bad) == ([], bad)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("broken", ["before", "after"])
def test_a_session_is_created_once_though_the_connection_breaks(desk, pager: Pager, broken: str) -> None:
    desk.mishap("POST /v1/sessions", broken=broken, times=3)
    session = pager.sessions.send("news", recipients=["ada@example.com"])
    assert session.view.total == 1
    assert len(desk.sessions) == 1
    keys = {one.headers["idempotency-key"] for one in desk.asked if one.method == "POST"}
    assert desk.count("POST /v1/sessions") == 4
    assert len(keys) == 1


@pytest.mark.parametrize("broken", ["before", "after"])
async def test_the_asynchronous_pager_is_as_patient(desk, apager: AsyncPager, broken: str) -> None:
    desk.mishap("POST /v1/messages", broken=broken, times=3)
    message = await apager.messages.send("ada@example.com", template="login-code")
    assert message.state == "pending"
    assert len(desk.sessions) == 1


def test_two_calls_have_two_keys(desk, pager: Pager) -> None:
    pager.messages.send("ada@example.com", template="login-code")
    pager.messages.send("ada@example.com", template="login-code")
    assert len({one.headers["idempotency-key"] for one in desk.asked}) == 2


def test_a_part_and_a_start_whose_answers_were_lost(desk, pager: Pager) -> None:
    desk.mishap("PUT /v1/sessions/ses_0001/parts/2", broken="after")
    desk.mishap("POST /v1/sessions/ses_0001/start", broken="after")
    session = pager.sessions.send("news", recipients=(f"p{n}@example.com" for n in range(12_000)))
    assert (session.view.state, session.view.total) == ("running", 12_000)
    assert desk.count("PUT /v1/sessions/ses_0001/parts/2") == 2
    assert desk.count("POST /v1/sessions/ses_0001/start") == 2


def test_a_start_of_what_somebody_else_started_is_refused(desk, pager: Pager) -> None:
    session = pager.sessions.create("news")
    pager.sessions.put_part(session.id, 1, b'{"to":"ada@example.com"}\n')
    pager.sessions.start(session.id, parts=1, recipients=1)
    with pytest.raises(Conflict) as caught:
        pager.sessions.start(session.id, parts=7, recipients=7)
    assert caught.value.current_state == "running"


def test_a_redrive_is_never_sent_twice(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=["ada@example.com"])
    desk.mishap("POST /v1/sessions/ses_0001/redrive", broken="after")
    with pytest.raises(Unreachable) as caught:
        session.redrive()
    assert caught.value.sent
    assert desk.count("POST /v1/sessions/ses_0001/redrive") == 1


def test_a_busy_server_is_waited_for(desk, pager: Pager) -> None:
    desk.mishap("GET", desk_answer(503, "unavailable"), times=2)
    desk.mishap("GET", desk_answer(429, "too_many_requests"), times=2)
    assert list(pager.sessions.list()) == []
    assert desk.count("GET /v1/sessions") == 5


def test_a_server_that_stays_busy_is_told_of(desk, pager: Pager) -> None:
    desk.mishap("GET", desk_answer(503, "disk_full"), times=6)
    with pytest.raises(Unavailable, match="disk_full") as caught:
        list(pager.sessions.list())
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "disk_full", "0")
    desk.mishap("GET", desk_answer(429, "too_many_requests", retry_after="3600"))
    with pytest.raises(TooMany):
        list(pager.sessions.list())


def test_a_problem_is_an_error_with_everything_in_it(pager: Pager) -> None:
    with pytest.raises(ApiError) as caught:
        pager.sessions.get("ses_none")
    problem = caught.value
    assert (problem.status, problem.code, problem.request_id) == (404, "not_found", "req-1")
    assert problem.detail == "There is no session ses_none."


def test_what_is_no_pager_is_named(desk, pager: Pager) -> None:
    desk.mishap("GET", html(200))
    with pytest.raises(NotPager, match="can't be read"):
        pager.sessions.get("ses_1")
    desk.mishap("GET", html(404))
    with pytest.raises(ApiError, match=r"404 \(text/html, not a problem document\)"):
        pager.sessions.get("ses_1")


def test_nobody_at_home_is_said_with_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            Pager(address, "pgr_test_x", patience=Patience(tries=2, first=0.001)) as pager,
            pytest.raises(Unreachable, match=f"nothing answers at {address}") as caught,
        ):
            pager.sessions.get("ses_1")
    assert not caught.value.sent
    assert "pagerd dev" in caught.value.remedy


def desk_answer(status: int, code: str, retry_after: str = "0"):
    import pager_desk

    headers = {"content-type": "application/problem+json", "retry-after": retry_after}
    return pager_desk.Answer(status, {"title": code, "status": status, "detail": code, "code": code}, headers)


def html(status: int):
    import pager_desk

    return pager_desk.Answer(status, b"<html>Hello</html>", {"content-type": "text/html"})
