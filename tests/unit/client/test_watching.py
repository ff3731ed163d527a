"""Following a session: by events, over breaks, and by looks where nothing can be heard."""

from __future__ import annotations

import asyncio

import pytest

from pagerd.client import ApiError, AsyncPager, Pager
from pagerd.client.errors import NotPager
from pagerd.client.events import Event, Reader

PEOPLE = [f"p{n}@example.com" for n in range(10)]


def test_progress_comes_as_it_happens_and_ends(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=PEOPLE)
    seen = []
    for view in session.watch():
        seen.append((view.told, view.to_go))
        desk.settle(session.id, count=5)
    assert seen == [(0, 10), (5, 5), (10, 0)]
    assert session.view.state == "completed"
    assert session.finished
    assert desk.count("GET /v1/sessions/ses_0001") == 1


async def test_progress_comes_to_the_asynchronous_pager_too(desk, apager: AsyncPager) -> None:
    session = await apager.sessions.send("news", recipients=PEOPLE)
    seen = []
    async for view in session.watch():
        seen.append(view.told)
        desk.settle(session.id, count=5)
    assert seen == [0, 5, 10]


def test_events_are_resumed_where_they_broke(desk, pager: Pager) -> None:
    desk.events_per_connection = 1
    session = pager.sessions.send("news", recipients=PEOPLE)
    seen = []
    for view in session.watch():
        seen.append(view.told)
        desk.settle(session.id, count=4)
    assert seen == [0, 4, 8, 10]
    assert desk.heard[0] == ""
    assert all(desk.heard[1:])
    assert len(set(desk.heard)) == len(desk.heard)


def test_a_connection_that_breaks_at_once_is_bridged_by_looks(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=PEOPLE)
    desk.mishap("GET /v1/sessions/ses_0001/events", broken="before", times=2)
    seen = []
    for view in session.watch():
        seen.append(view.told)
        desk.settle(session.id, count=5)
    assert seen == [0, 5, 10]


def test_without_events_the_session_is_looked_at(desk, pager: Pager) -> None:
    desk.speaks_events = False
    session = pager.sessions.send("news", recipients=PEOPLE)
    seen = []
    for view in session.watch():
        seen.append(view.told)
        desk.settle(session.id, count=5)
    assert seen == [0, 5, 10]
    assert desk.count("GET /v1/sessions/ses_0001/events") == 1


def test_a_finished_session_is_given_once(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=PEOPLE)
    desk.settle(session.id)
    assert [view.told for view in pager.sessions.watch(session.id)] == [10]


def test_a_session_that_is_not_there_is_an_error(pager: Pager) -> None:
    with pytest.raises(ApiError, match="no session ses_none"):
        list(pager.sessions.watch("ses_none"))


async def test_watching_can_be_given_up(desk, apager: AsyncPager) -> None:
    session = await apager.sessions.send("news", recipients=PEOPLE)
    seen = []

    async def watch() -> None:
        async for view in session.watch():
            seen.append(view.told)  # noqa: PERF401 - what was seen before the time ran out counts

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch(), 0.2)
    assert seen == [0]


def test_raw_events_can_be_heard(desk, pager: Pager) -> None:
    session = pager.sessions.send("news", recipients=PEOPLE)
    desk.settle(session.id)
    assert [event.kind for event in pager.sessions.events(session.id)] == ["finished"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    text = b': hello\r\n\r\nid: 1\nevent: progress\ndata: {"a":\ndata: 1}\n\nretry: 5\n\n'
    text += b"data:x\r\n\r\nid: 2\ndata: \xc3\xa4\n\n"
    reader = Reader()
    events = [event for at in range(0, len(text), size) for event in reader.feed(text[at : at + size])]
    assert events == [
        Event("progress", '{"a":\n1}', "1"),
        Event("message", "x", "1"),
        Event("message", "ä", "2"),
    ]


def test_an_event_without_an_end_is_not_kept_forever() -> None:
    reader = Reader()
    with pytest.raises(NotPager, match="1 MiB"):
        list(reader.feed(b"data: " + b"x" * 1_100_000))
