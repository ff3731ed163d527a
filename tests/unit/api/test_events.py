"""Live events: only changes, in order, resumable, ending by themselves; never a busy loop."""

import json

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from pagerd.api.events import following, mark_of
from pagerd.api.stages import Settings
from pagerd.core.errors import Missing, Unauthenticated, Unavailable


@pytest.fixture
def view(house, session_id):
    return house.room.sessions[1, session_id]


def parsed(frames: list[bytes]) -> list[tuple[str, dict]]:
    """Return (event, data) of each frame; comments apart."""
    found = []
    for block in b"".join(frames).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def welcome() -> None:
    return None


async def followed(view, looks, clock, heard="", still_welcome=welcome, **pulse):
    queue = list(looks)

    async def look():
        one = queue.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return [frame async for frame in following(view, heard, look, still_welcome, clock.pulse(**pulse))]


async def test_an_event_for_each_change_and_a_last_one(view, hand_moved):
    told = [msgspec.structs.replace(view, told=n, to_go=2 - n) for n in (0, 1, 1, 2)]
    done = msgspec.structs.replace(told[-1], state="completed", to_go=0)
    clock = hand_moved([])
    frames = parsed(await followed(view, [*told, done], clock))
    assert [(kind, data["told"]) for kind, data in frames] == [
        ("progress", 0), ("progress", 1), ("progress", 2), ("finished", 2),
    ]  # fmt: skip


async def test_never_more_than_four_a_second_and_slower_while_nothing_moves(view, hand_moved):
    moving = [msgspec.structs.replace(view, told=n) for n in range(1, 9)]
    done = msgspec.structs.replace(view, state="failed", to_go=0)
    clock = hand_moved([])
    await followed(view, [*moving, *[moving[-1]] * 6, done], clock)
    assert clock.slept[:8] == [0.25] * 8
    assert clock.slept[8:] == [0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]


async def test_estimates_that_move_by_themselves_are_no_change(view, hand_moved):
    rates = [msgspec.structs.replace(view, rate_per_second=float(n), estimated_finish_at=str(n)) for n in range(9)]
    done = msgspec.structs.replace(view, state="completed", to_go=0, rate_per_second=7.5)
    frames = parsed(await followed(view, [*rates, done], hand_moved([])))
    assert [kind for kind, _ in frames] == ["progress", "finished"]
    assert frames[-1][1]["rate_per_second"] == 7.5


async def test_silence_is_broken_by_signs_of_life(view, hand_moved):
    done = msgspec.structs.replace(view, state="completed", to_go=0)
    clock = hand_moved([])
    frames = await followed(view, [view] * 60 + [done], clock)
    assert [frame for frame in frames if frame.startswith(b":")] == [b":\n\n"] * 3
    assert 45 < clock.time < 62


async def test_a_key_that_was_revoked_hears_no_more_at_the_next_sign_of_life(view, hand_moved):
    asked = []

    async def unwelcome() -> None:
        asked.append(True)
        raise Unauthenticated

    frames = await followed(view, [view] * 100, hand_moved([]), still_welcome=unwelcome)
    assert (len(frames), len(asked)) == (1, 1)


async def test_who_heard_the_last_event_hears_only_what_is_new(view, hand_moved):
    done = msgspec.structs.replace(view, state="cancelled", to_go=0)
    frames = parsed(await followed(view, [view, done], hand_moved([]), heard=mark_of(view)))
    assert [kind for kind, _ in frames] == ["finished"]


@pytest.mark.parametrize("error", [Unavailable("x"), Missing("x")])
async def test_a_session_that_can_not_be_read_ends_the_stream(view, hand_moved, error):
    frames = parsed(await followed(view, [error], hand_moved([])))
    assert [kind for kind, _ in frames] == ["progress"]


async def test_a_server_that_stops_ends_its_streams(view, hand_moved):
    stopping = iter([False, False, True])
    frames = await followed(view, [view] * 10, hand_moved([]), stopping=lambda: next(stopping))
    assert len(frames) == 1


async def test_over_http_until_finished_and_then_204(client, house, session_id, hand_moved):
    path = f"/v1/sessions/{session_id}/events"
    room = house.room

    def change(**changes):
        room.sessions[1, session_id] = msgspec.structs.replace(room.sessions[1, session_id], **changes)

    clock = hand_moved([lambda: change(told=1), lambda: change(told=2), lambda: change(state="completed", to_go=0)])
    house.settings = Settings(pulse=clock.pulse())
    async with AsyncTestClient(app=house.app()) as live:
        answer = await live.get(path, headers=house.all)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        events = parsed([answer.content])
        assert [data["told"] for _, data in events] == [0, 1, 2, 2]
        assert events[-1][0] == "finished"
        last = [line for line in answer.text.splitlines() if line.startswith("id: ")][-1].removeprefix("id: ")
        again = await live.get(path, headers=house.all | {"Last-Event-ID": last})
        assert (again.status_code, again.content) == (204, b"")
        stale = await live.get(path, headers=house.all | {"Last-Event-ID": "something old"})
        assert [kind for kind, _ in parsed([stale.content])] == ["finished"]


async def test_an_unknown_session_is_404_and_no_stream(client, house):
    answer = await client.get("/v1/sessions/ses_nope/events", headers=house.all)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_cancelled_session_is_over_when_nobody_is_under_way_any_more(view, hand_moved):
    still = msgspec.structs.replace(view, state="cancelled", to_go=3)
    done = msgspec.structs.replace(still, to_go=0)
    frames = parsed(await followed(view, [still, done], hand_moved([])))
    assert [kind for kind, _ in frames] == ["progress", "progress", "finished"]
