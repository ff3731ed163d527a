"""Warm connections: as many as needed, shared in turn, renewed when they died, closed when nobody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731


def kinds(outcomes: list[Any]) -> str:
    return " ".join(outcome.kind for outcome in outcomes)


class Gate:
    """Holds every message at its end until it is opened."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self.open = False

    def __call__(self, visit: Any, verb: str, line: str) -> bytes | None:
        if verb != "END" or self.open:
            return None
        visit.take(b"held")
        self.held.append(visit)
        return bytes(visit.hold())

    def release(self) -> None:
        self.open = True
        held, self.held = self.held, []
        for visit in held:
            visit.go_on(b"250 2.0.0 Ok\r\n")


async def test_one_after_the_other_shares_one_connection(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server)
    for _ in range(5):
        assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert len(server.visits) == 1
    assert len(server.accepted) == 10


async def test_many_lanes_get_as_many_connections_as_there_may_be(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=4)
    tasks = [asyncio.ensure_future(provider.send(letters(1, to=f"lane{n}@x.example"), ALWAYS)) for n in range(10)]
    await server.until(lambda: len(gate.held) == 4)
    assert len(server.visits) == 4
    gate.release()
    assert {kinds(outcomes) for outcomes in await asyncio.gather(*tasks)} == {"ok"}
    assert len(server.visits) == 4


async def test_who_waits_first_is_served_first(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=1)
    tasks = [asyncio.ensure_future(provider.send(letters(2, to=f"lane{n}@x.example"), ALWAYS)) for n in range(4)]
    await server.until(lambda: len(gate.held) == 1)
    tasks[2].cancel()
    gate.release()
    outcomes = [kinds(outcome) for outcome in await asyncio.gather(*tasks)]
    assert outcomes == ["ok ok", "ok ok", "not_sent not_sent", "ok ok"]
    assert [mail.to[4] for mail in server.accepted] == ["0", "0", "1", "1", "3", "3"]


async def test_a_connection_that_died_while_idle_is_replaced_unnoticed(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server)
    await provider.send(letters(1), ALWAYS)
    server.visits[0].act("close")
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert [mail.to for mail in server.accepted] == ["p0@example.com", "p0@example.com", "p1@example.com"]
    assert len(server.visits) == 2


@pytest.mark.parametrize("act", ["close", "reset", "stall"])
@pytest.mark.parametrize("last_words", [b"", b"421 4.4.2 idle too long\r\n"])
@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "one by one"])
async def test_one_that_dies_under_the_first_command_is_replaced_too(
    serve: Any, provide: Any, plan: Any, letters: Any, act: str, last_words: bytes, offers: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "MAIL" and visit.number == 0 and server.accepted:
            visit.say(last_words)
            visit.act(act)
            return b""
        return None

    server = await serve(plan(offers=offers, answer=answer))
    provider = provide(server, command_timeout=0.3)
    await provider.send(letters(1), ALWAYS)
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert len(server.visits) == 2
    assert len(server.accepted) == 3


async def test_it_is_tried_once_more_and_not_for_ever(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "MAIL" and server.accepted:
            visit.act("close")
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server)
    await provider.send(letters(1), ALWAYS)
    outcomes = await provider.send(letters(2), ALWAYS)
    assert kinds(outcomes) == "transient not_sent"
    assert len(server.visits) == 2


async def test_a_fresh_connection_that_dies_is_not_tried_again(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "MAIL":
            visit.act("close")
            return b""
        return None

    server = await serve(plan(answer=answer))
    assert kinds(await provide(server).send(letters(2), ALWAYS)) == "transient not_sent"
    assert len(server.visits) == 1


async def test_a_rested_chunking_connection_is_asked_before_the_last_byte_leaves(
    serve: Any, provide: Any, plan: Any, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With BDAT the first write already holds a last byte: a dead connection must not make a doubt of it."""
    monkeypatch.setattr("pagerd.adapters.smtp.pool.RESTED_AFTER", 0.0)

    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb in ("RSET", "MAIL") and visit.number == 0 and server.accepted:
            visit.act("close")
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server, chunking=True)
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert server.visits[0].lines[-1] == "RSET"
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert len(server.visits) == 2


async def test_a_connection_that_did_not_rest_is_not_asked(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server, chunking=True)
    for _ in range(3):
        assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert "RSET" not in server.visits[0].lines


async def test_what_may_have_arrived_over_a_used_connection_is_not_sent_again(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "BDAT" and not line and server.accepted:
            visit.take(b"arrived")
            visit.act("close")
            return b""
        if verb in ("MAIL", "RCPT") and server.accepted:
            getattr(visit, f"_on_{verb.lower()}")(line)
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server, chunking=True)
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert kinds(await provider.send(letters(2), ALWAYS)) == "in_doubt not_sent"
    assert len(server.accepted) == 2
    assert len(server.visits) == 1


async def test_a_used_connection_that_spoke_before_it_broke_had_not_died_while_idle(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "RCPT" and server.accepted:
            return b"550 5.1.1 no\r\n"
        if verb == "RSET":
            visit.act("close")
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server)
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert kinds(await provider.send(letters(3), ALWAYS)) == "permanent_address transient not_sent"
    assert len(server.visits) == 1


async def test_idle_connections_are_closed(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server, idle_timeout=0.05)
    await asyncio.gather(*(provider.send(letters(1), ALWAYS) for _ in range(3)))
    await server.until(lambda: all(visit.over for visit in server.visits))
    assert {visit.lines[-1] for visit in server.visits} == {"QUIT"}
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"


async def test_a_connection_is_worn_out_after_so_many_messages(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server, messages_per_connection=4)
    for _ in range(4):
        assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert len(server.visits) == 2


async def test_where_the_peer_takes_no_more_the_others_are_shared(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=10)
    first = asyncio.ensure_future(provider.send(letters(1), ALWAYS))
    await server.until(lambda: len(gate.held) == 1)
    server.plan.greeting = b"421 4.7.0 too many connections\r\n"
    others = [asyncio.ensure_future(provider.send(letters(1), ALWAYS)) for _ in range(5)]
    await server.until(lambda: sum(visit.over for visit in server.visits) == 5)
    gate.release()
    assert {kinds(outcomes) for outcomes in await asyncio.gather(first, *others)} == {"ok"}
    assert len(server.visits) == 6
    assert len(server.accepted) == 6


async def test_after_a_while_one_more_is_tried_and_who_waited_first_has_it(
    serve: Any, provide: Any, plan: Any, letter: Any
) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=3)
    tasks = [asyncio.ensure_future(provider.send([letter(0)], ALWAYS))]
    await server.until(lambda: len(gate.held) == 1)
    server.plan.greeting = b"421 4.7.0 too many connections\r\n"
    tasks += [asyncio.ensure_future(provider.send([letter(n)], ALWAYS)) for n in (1, 2)]
    await server.until(lambda: sum(visit.over for visit in server.visits) == 2)
    server.plan.greeting = b"220 peer.example\r\n"
    provider._pool._ceiling._until = 0.0
    tasks.append(asyncio.ensure_future(provider.send([letter(3)], ALWAYS)))
    await server.until(lambda: len(gate.held) == 3)
    assert {mail.to for mail in server.accepted} == {"p0@example.com", "p1@example.com", "p2@example.com"}
    gate.release()
    assert {kinds(outcomes) for outcomes in await asyncio.gather(*tasks)} == {"ok"}


async def test_where_nobody_lives_everybody_hears_of_it(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(greeting=b"421 4.3.2 closed\r\n"))
    provider = provide(server, connections=3)
    async with asyncio.timeout(10):
        every = await asyncio.gather(*(provider.send(letters(2), ALWAYS) for _ in range(12)))
    assert {kinds(outcomes) for outcomes in every} == {"throttled throttled"}
    server.plan.greeting = b"220 open\r\n"
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"


async def test_a_broken_connection_makes_room_for_another(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "END":
            visit.act("close")
            return b""
        return None

    server = await serve(plan(answer=answer))
    provider = provide(server, connections=2)
    for _ in range(5):
        assert kinds(await provider.send(letters(2), ALWAYS)) == "in_doubt not_sent"
    server.plan.answer = lambda visit, verb, line: None
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"


@pytest.mark.parametrize("breaks", [False, True])
async def test_who_goes_away_with_a_connection_in_hand_gives_it_back(
    serve: Any, provide: Any, plan: Any, letters: Any, breaks: bool
) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=1)

    async def first() -> str:
        outcomes = await provider.send(letters(1), ALWAYS)
        second.cancel()  # it has been given the connection, or the place of one, and has not run yet
        return kinds(outcomes)

    one = asyncio.ensure_future(first())
    await server.until(lambda: len(gate.held) == 1)
    second, third = (asyncio.ensure_future(provider.send(letters(1), ALWAYS)) for _ in range(2))
    await asyncio.sleep(0)
    if breaks:
        gate.open = True
        server.visits[0].act("close")
    else:
        gate.release()
    assert await one == ("in_doubt" if breaks else "ok")
    assert [kinds(await second), kinds(await third)] == ["not_sent", "ok"]


async def test_a_server_that_restarts_under_many_lanes(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server, connections=5)
    await asyncio.gather(*(provider.send(letters(1), ALWAYS) for _ in range(20)))
    for visit in server.visits:
        visit.act("reset")
    every = await asyncio.gather(*(provider.send(letters(1), ALWAYS) for _ in range(20)))
    assert {kinds(outcomes) for outcomes in every} == {"ok"}
    assert len(server.accepted) == 40


async def test_closing_says_goodbye_and_nothing_is_sent_afterwards(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server)
    await provider.send(letters(1), ALWAYS)
    await provider.aclose()
    await provider.aclose()
    await server.until(lambda: server.visits[0].over)
    assert server.visits[0].lines[-1] == "QUIT"
    outcomes = await provider.send(letters(2), ALWAYS)
    assert [(outcome.kind, outcome.code) for outcome in outcomes] == [("not_sent", "closed")] * 2


async def test_closing_ends_what_is_under_way(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    gate = Gate()
    server = await serve(plan(answer=gate))
    provider = provide(server, connections=1)
    tasks = [asyncio.ensure_future(provider.send(letters(2), ALWAYS)) for _ in range(3)]
    await server.until(lambda: len(gate.held) == 1)
    await provider.aclose()
    outcomes = [kinds(outcome) for outcome in await asyncio.gather(*tasks)]
    assert outcomes == ["in_doubt not_sent", "not_sent not_sent", "not_sent not_sent"]


async def test_closing_while_a_connection_is_being_opened(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(greeting=b""))
    provider = provide(server)
    task = asyncio.ensure_future(provider.send(letters(1), ALWAYS))
    await server.until(lambda: len(server.visits) == 1)
    await provider.aclose()
    server.visits[0].say(b"220 late\r\n")
    assert kinds(await task) == "not_sent"
    assert server.accepted == []


async def test_sixty_four_lanes_of_fives(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    provider = provide(server, connections=8)

    async def lane(n: int) -> list[str]:
        return [kinds(await provider.send(letters(5, to=f"l{n}@x.example"), ALWAYS)) for _ in range(3)]

    every = await asyncio.gather(*(lane(n) for n in range(64)))
    assert {outcome for lane_ in every for outcome in lane_} == {"ok ok ok ok ok"}
    assert len(server.accepted) == 64 * 15
    assert len(server.visits) <= 8
