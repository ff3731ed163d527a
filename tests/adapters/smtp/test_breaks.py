"""The connection breaks at every byte of the dialogue: no outcome ever claims what the server does not know.

The oracle is the server: what it had fully accepted, whatever was said about it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.outcomes import FailureClass

PIPELINED = ("PIPELINING", "8BITMIME")
ONE_BY_ONE = ("8BITMIME",)
CHUNKED = ("PIPELINING", "CHUNKING", "8BITMIME")
WAYS: dict[str, dict[str, Any]] = {
    "pipelined": {"offers": PIPELINED},
    "one by one": {"offers": ONE_BY_ONE},
    "chunked": {"offers": CHUNKED, "chunking": True},
    "chunked, three unanswered": {"offers": CHUNKED, "chunking": True, "unanswered": 3},
}
AT_ONCE = 64


@pytest.fixture
def torture(serve: Any, provide: Any, plan: Any, letters: Any) -> Callable[..., Any]:
    """Send three messages to a server that breaks after so many bytes; return server and outcomes."""

    async def one(offers: tuple[str, ...], act: str, settings: dict[str, Any], **cut: int) -> tuple[Any, list[Any]]:
        server = await serve(plan(offers=offers, act=act, **cut))
        impatience = 0.1 if act == "stall" else 10.0
        provider = provide(
            server, greeting_timeout=impatience, command_timeout=impatience, dot_timeout=impatience, **settings
        )
        outcomes = await provider.send(letters(3), lambda: True)
        await provider.aclose()
        return server, outcomes

    return one


def check(server: Any, outcomes: list[Any], doubts: int) -> None:
    """Compare what was said with what the server knows."""
    accepted = {mail.to for mail in server.accepted}
    assert [outcome.place for outcome in outcomes] == [0, 1, 2]
    for outcome in outcomes:
        to = f"p{outcome.place}@example.com"
        if outcome.kind is FailureClass.OK:
            assert to in accepted, outcome
        elif outcome.kind is not FailureClass.IN_DOUBT:
            assert outcome.kind in (FailureClass.TRANSIENT, FailureClass.NOT_SENT)
            assert to not in accepted, outcome
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds.count(FailureClass.IN_DOUBT) <= doubts
    assert kinds.count(FailureClass.TRANSIENT) <= 1 or set(kinds) == {FailureClass.TRANSIENT}
    order = [FailureClass.OK, FailureClass.IN_DOUBT, FailureClass.TRANSIENT, FailureClass.NOT_SENT]
    ranks = [order.index(kind) for kind in kinds]
    assert ranks == sorted(ranks), kinds
    for mail, message in zip(server.accepted, (b"0", b"1", b"2"), strict=False):
        assert mail.body == b"Subject: n%b\r\n\r\nHi %b\r\n.\r\n..dots\r\n" % (message, message)


@pytest.mark.parametrize("side", ["cut_in", "cut_out"])
@pytest.mark.parametrize("act", ["close", "reset", "stall"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_break_at_every_byte(torture: Any, way: str, act: str, side: str) -> None:
    settings = dict(WAYS[way])
    offers = settings.pop("offers")
    doubts = settings.get("unanswered", 1)
    whole, outcomes = await torture(offers, act, settings)
    assert [outcome.kind for outcome in outcomes] == [FailureClass.OK] * 3
    length = whole.visits[0].read if side == "cut_in" else whole.visits[0].written
    gate, seen = asyncio.Semaphore(AT_ONCE), Counter[str]()

    async def at(byte: int) -> None:
        async with gate:
            server, outcomes = await torture(offers, act, settings, **{side: byte})
        check(server, outcomes, doubts)
        seen.update(outcome.kind for outcome in outcomes)

    async with asyncio.TaskGroup() as group:
        for byte in range(length):
            group.create_task(at(byte))
    kinds = {FailureClass.IN_DOUBT, FailureClass.TRANSIENT}
    assert set(seen) == kinds | ({FailureClass.OK, FailureClass.NOT_SENT} if doubts == 1 else {FailureClass.OK})


@pytest.mark.parametrize(
    ("verb", "nth", "expected"),
    [
        ("MAIL", 1, "transient not_sent not_sent"),
        ("RCPT", 1, "transient not_sent not_sent"),
        ("DATA", 1, "transient not_sent not_sent"),
        ("END", 1, "in_doubt not_sent not_sent"),
        ("MAIL", 2, "ok transient not_sent"),
        ("RCPT", 2, "ok transient not_sent"),
        ("DATA", 2, "ok transient not_sent"),
        ("END", 2, "ok in_doubt not_sent"),
        ("MAIL", 3, "ok ok transient"),
        ("END", 3, "ok ok in_doubt"),
    ],
)
async def test_a_server_that_falls_silent_at_a_step(
    serve: Any, provide: Any, plan: Any, letters: Any, verb: str, nth: int, expected: str
) -> None:
    calls = Counter[str]()

    def answer(visit: Any, said: str, line: str) -> bytes | None:
        calls[said] += 1
        if said == verb and calls[said] == nth:
            visit.act("stall")
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server, command_timeout=0.3, dot_timeout=0.3)
    outcomes = await provider.send(letters(3), lambda: True)
    assert " ".join(outcome.kind for outcome in outcomes) == expected
    assert {outcome.code for outcome in outcomes if outcome.kind != "ok"} == {"timeout"}
