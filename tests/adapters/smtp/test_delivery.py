"""A batch on the wire: groups, refusals, lies, the fence, and a caller who goes away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import aiosmtplib
import pytest

from pagerd.core.outcomes import FailureClass

PIPELINED = ("PIPELINING", "8BITMIME")
ONE_BY_ONE = ("8BITMIME",)
CHUNKED = ("PIPELINING", "CHUNKING", "8BITMIME")
WAYS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "pipelined": (PIPELINED, {}),
    "one by one": (ONE_BY_ONE, {}),
    "chunked": (CHUNKED, {"chunking": True}),
    "chunked by three": (CHUNKED, {"chunking": True, "unanswered": 3}),
    "chunking not offered": (PIPELINED, {"chunking": True}),
}
ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731


def kinds(outcomes: list[Any]) -> str:
    return " ".join(outcome.kind for outcome in outcomes)


def codes(outcomes: list[Any]) -> list[str]:
    return [outcome.code for outcome in outcomes]


def say(*said: tuple[str, int, bytes]) -> Callable[[Any, str, str], bytes | None]:
    """Answer the nth command of a verb with these words."""
    table = {(verb, nth): reply for verb, nth, reply in said}
    calls = Counter[str]()

    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        calls[verb] += 1
        return table.get((verb, calls[verb]))

    return answer


def hold(verb: str) -> Callable[[Any, str, str], bytes | None]:
    """Say nothing from this verb on (for BDAT: from its end)."""

    def answer(visit: Any, said: str, line: str) -> bytes | None:
        return bytes(visit.hold()) if said == verb or (said == "BDAT" and verb == "END" and not line) else None

    return answer


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], dict[str, Any]]:
    return WAYS[request.param]


async def test_every_message_arrives_byte_for_byte(serve: Any, provide: Any, plan: Any, letters: Any, way: Any) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    messages = letters(7)
    outcomes = await provide(server, **settings).send(messages, ALWAYS)
    assert kinds(outcomes) == " ".join(["ok"] * 7)
    assert [outcome.place for outcome in outcomes] == list(range(7))
    assert [(mail.to, mail.body) for mail in server.accepted] == [(m.to, m.body) for m in messages]
    assert [outcome.reference for outcome in outcomes] == [f"Q{n}" for n in range(1, 8)]
    assert all(0 < outcome.started <= outcome.ended for outcome in outcomes)
    parsed = message_from_bytes(server.accepted[3].body, policy=policy.SMTP)
    assert parsed["Subject"] == "n3"
    assert parsed.get_payload() == "Hi 3\r\n.\r\n..dots\r\n"


async def test_a_message_costs_one_write_and_one_read(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(offers=PIPELINED))
    groups: list[list[str]] = []

    def answer(visit: Any, verb: str, line: str) -> None:
        """Note each command under the number of groups that have been answered whole."""
        while len(groups) <= len(server.accepted):
            groups.append([])
        groups[len(server.accepted)].append(verb)

    server.plan.answer = answer
    await provide(server).send(letters(3), ALWAYS)
    envelope = ["MAIL", "RCPT", "DATA"]
    assert groups == [["EHLO", *envelope, "END"], [*envelope, "END"], [*envelope, "END"]]


@pytest.mark.parametrize("offers", [PIPELINED, ONE_BY_ONE, CHUNKED], ids=["pipelined", "one by one", "chunked"])
async def test_the_bytes_are_those_that_aiosmtplib_sends(
    serve: Any, provide: Any, plan: Any, letter: Any, offers: tuple[str, ...]
) -> None:
    server = await serve(plan(offers=offers))
    lines = [b"Subject: x", b"", b".", b"..", b".leading", b"a" * 998, b"", b"trailing", b"."]
    message = letter(0, body=b"\r\n".join(lines) + b"\r\n")
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port) as client:
        await client.sendmail(message.sender, [message.to], message.body)
    outcomes = await provide(server, chunking=offers is CHUNKED).send([message], ALWAYS)
    assert kinds(outcomes) == "ok"
    theirs, ours = server.accepted
    assert (ours.sender, ours.to, ours.body) == (theirs.sender, theirs.to, theirs.body)


async def test_a_big_body_arrives(serve: Any, provide: Any, plan: Any, letter: Any, way: Any) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    body = b"Subject: big\r\n\r\n" + b".123456789abcdef\r\n" * 120_000
    outcomes = await provide(server, **settings).send([letter(0, body=body), letter(1)], ALWAYS)
    assert kinds(outcomes) == "ok ok"
    assert server.accepted[0].body == body


async def test_nothing_to_send_opens_nothing(serve: Any, provide: Any) -> None:
    server = await serve()
    assert await provide(server).send([], ALWAYS) == []
    assert server.visits == []


# refusals


@pytest.mark.parametrize(
    "case",
    [
        (("MAIL", 2, b"552 5.3.4 too big\r\n"), "permanent_content", "552 5.3.4"),
        (("MAIL", 2, b"451 4.3.0 later\r\n"), "transient", "451 4.3.0"),
        (("RCPT", 2, b"550 5.1.1 nobody\r\n"), "permanent_address", "550 5.1.1"),
        (("RCPT", 2, b"450-4.7.1 grey\r\n450 4.7.1 list\r\n"), "throttled", "450 4.7.1"),
    ],
)
async def test_one_is_refused_and_its_neighbours_arrive(
    serve: Any, provide: Any, plan: Any, letters: Any, way: Any, case: Any
) -> None:
    said, kind, code = case
    offers, settings = way
    server = await serve(plan(offers=offers, answer=say(said)))
    provider = provide(server, **settings)
    outcomes = await provider.send(letters(4), ALWAYS)
    assert kinds(outcomes) == f"ok {kind} ok ok"
    assert outcomes[1].code == code
    assert outcomes[1].text
    assert [mail.to for mail in server.accepted] == ["p0@example.com", "p2@example.com", "p3@example.com"]
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert len(server.visits) == 1


@pytest.mark.parametrize("verb", ["DATA", "END"])
@pytest.mark.parametrize(
    "case",
    [(b"554 5.7.1 spam\r\n", "permanent_content"), (b"451 4.3.0 later\r\n", "transient")],
)
@pytest.mark.parametrize("offers", [PIPELINED, ONE_BY_ONE], ids=["pipelined", "one by one"])
async def test_data_is_refused_before_or_after_the_body(
    serve: Any, provide: Any, plan: Any, letters: Any, offers: Any, verb: str, case: Any
) -> None:
    reply, kind = case
    server = await serve(plan(offers=offers, answer=say((verb, 2, reply), (verb, 4, reply))))
    provider = provide(server)
    assert kinds(await provider.send(letters(4), ALWAYS)) == f"ok {kind} ok {kind}"
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert len(server.accepted) == 3
    assert len(server.visits) == 1


@pytest.mark.parametrize("unanswered", [1, 3])
async def test_bdat_is_refused(serve: Any, provide: Any, plan: Any, letters: Any, unanswered: int) -> None:
    server = await serve(plan(offers=CHUNKED))

    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        bad = verb == "BDAT" and not line and visit.to == ["p1@example.com"]
        return b"552 5.2.2 full\r\n" if bad else None

    def silent_bdat(visit: Any, verb: str, line: str) -> bytes | None:
        return answer(visit, verb, line)

    server.plan.answer = silent_bdat
    provider = provide(server, chunking=True, unanswered=unanswered)
    outcomes = await provider.send(letters(4), ALWAYS)
    assert kinds(outcomes) == "ok transient ok ok"
    assert [mail.to for mail in server.accepted] == ["p0@example.com", "p2@example.com", "p3@example.com"]


async def test_354_though_the_recipient_was_refused_wants_a_lone_dot(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(
        plan(offers=PIPELINED, answer=say(("RCPT", 2, b"550 5.1.1 no\r\n"), ("DATA", 2, b"354 go\r\n")))
    )
    outcomes = await provide(server).send(letters(3), ALWAYS)
    assert kinds(outcomes) == "ok permanent_address ok"
    assert server.lone_dots == 1
    assert [mail.to for mail in server.accepted] == ["p0@example.com", "p2@example.com"]


async def test_a_lone_dot_at_the_end_of_a_batch_leaves_the_connection_clean(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(
        plan(offers=PIPELINED, answer=say(("RCPT", 2, b"550 5.1.1 no\r\n"), ("DATA", 2, b"354 go\r\n")))
    )
    provider = provide(server)
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok permanent_address"
    assert kinds(await provider.send(letters(2), ALWAYS)) == "ok ok"
    assert (server.lone_dots, len(server.visits), len(server.accepted)) == (1, 1, 3)


async def test_a_lone_dot_is_never_given_where_it_could_be_a_message(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    lies = say(("MAIL", 1, b"550 no\r\n"), ("RCPT", 1, b"250 ok\r\n"), ("DATA", 1, b"354 go\r\n"))
    server = await serve(plan(offers=PIPELINED, answer=lies))
    outcomes = await provide(server).send(letters(2), ALWAYS)
    assert kinds(outcomes) == "permanent_content not_sent"
    assert (server.lone_dots, server.accepted) == (0, [])


async def test_reset_goes_only_where_a_transaction_is_open(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    refusals = say(("MAIL", 1, b"451 no\r\n"), ("RCPT", 3, b"550 5.1.1 no\r\n"), ("RCPT", 4, b"550 5.1.1 no\r\n"))
    server = await serve(plan(offers=PIPELINED, answer=refusals))
    provider = provide(server)
    outcomes = await provider.send(letters(4), ALWAYS)
    assert kinds(outcomes) == "transient ok permanent_address permanent_address"
    await provider.send(letters(1), ALWAYS)
    verbs = [line[:4] for line in server.visits[0].lines[1:]]
    assert verbs == [*["MAIL", "RCPT", "DATA"] * 3, "RSET", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA"]


async def test_unfit_messages_are_refused_here_and_the_rest_goes(
    serve: Any, provide: Any, plan: Any, letter: Any, way: Any
) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    messages = [
        letter(0, to="x@y>\r\nRCPT TO:<evil@example.com"),
        letter(1),
        letter(2, body=b"a\nb\r\n"),
        letter(3, to="grüße@example.com"),
        letter(4),
        letter(5, sender="a b@x"),
    ]
    outcomes = await provide(server, **settings).send(messages, ALWAYS)
    assert codes(outcomes) == ["address_invalid", "250", "bare_newline", "smtputf8_missing", "250", "sender_invalid"]
    assert [mail.to for mail in server.accepted] == ["p1@example.com", "p4@example.com"]
    assert not any("evil" in line for line in server.visits[0].lines)


async def test_a_batch_of_unfit_messages_says_nothing_to_the_peer(
    serve: Any, provide: Any, plan: Any, letter: Any, way: Any
) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    outcomes = await provide(server, **settings).send([letter(0, to=""), letter(1, body=b"\n")], ALWAYS)
    assert codes(outcomes) == ["address_invalid", "bare_newline"]
    assert len(server.visits[0].lines) == 1


async def test_smtputf8_where_it_is_offered(serve: Any, provide: Any, letter: Any) -> None:
    server = await serve()
    message = letter(0, to="grüße@example.com", body="Subject: Grüße\r\n\r\nü\r\n".encode(), international=True)
    assert kinds(await provide(server).send([message], ALWAYS)) == "ok"
    (mail,) = server.accepted
    assert (mail.to, mail.body) == ("grüße@example.com", message.body)
    assert mail.parameters == f" SIZE={len(message.body)} BODY=8BITMIME SMTPUTF8"


# 421 and lies


@pytest.mark.parametrize(
    "case",
    [
        ("MAIL", 1, "transient not_sent not_sent"),
        ("RCPT", 1, "transient not_sent not_sent"),
        ("MAIL", 2, "ok transient not_sent"),
        ("RCPT", 2, "ok transient not_sent"),
        ("MAIL", 3, "ok ok transient"),
    ],
)
async def test_421_ends_the_connection_and_counts_for_one(
    serve: Any, provide: Any, plan: Any, letters: Any, way: Any, case: Any
) -> None:
    verb, nth, expected = case
    offers, settings = way
    if settings.get("unanswered"):  # all three have left when the 421 comes
        expected = expected.replace("not_sent", "in_doubt")
    server = await serve(plan(offers=offers, answer=say((verb, nth, b"421 4.4.2 closing\r\n"))))
    outcomes = await provide(server, **settings).send(letters(3), ALWAYS)
    assert kinds(outcomes) == expected
    first = next(outcome for outcome in outcomes if outcome.kind != "ok")
    assert (first.code, first.text) == ("421 4.4.2", "4.4.2 closing")


async def test_421_after_the_dot_is_an_answer(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(offers=PIPELINED, answer=say(("END", 2, b"421 4.3.2 no more\r\n"))))
    outcomes = await provide(server).send(letters(3), ALWAYS)
    assert kinds(outcomes) == "ok throttled not_sent"
    assert len(server.accepted) == 1


async def test_421_amid_three_unanswered_ones_leaves_the_others_in_doubt(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(plan(offers=CHUNKED, answer=say(("RCPT", 2, b"421 4.4.2 closing\r\n"))))
    outcomes = await provide(server, chunking=True, unanswered=3).send(letters(3), ALWAYS)
    assert kinds(outcomes) == "ok transient in_doubt"


@pytest.mark.parametrize("offers", [PIPELINED, ONE_BY_ONE], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(
    "case",
    [
        ("MAIL", b"hello there\r\n", "ok transient not_sent"),
        ("RCPT", b"250 yes\r\n250 yes, yes\r\n", "ok transient not_sent"),
        ("RCPT", b"354 yes\r\n", "ok transient not_sent"),
        ("DATA", b"250 yes\r\n", "ok transient not_sent"),
        ("DATA", b"355 yes\r\n", "ok transient not_sent"),
        ("END", b"354 yes\r\n", "ok in_doubt not_sent"),
        ("END", b"yes\r\n", "ok in_doubt not_sent"),
        ("END", b"250-yes\r\n550 no\r\n", "ok in_doubt not_sent"),
    ],
)
async def test_a_peer_that_talks_rubbish(
    serve: Any, provide: Any, plan: Any, letters: Any, offers: Any, case: Any
) -> None:
    verb, reply, expected = case
    server = await serve(plan(offers=offers, answer=say((verb, 2, reply))))
    outcomes = await provide(server).send(letters(3), ALWAYS)
    assert kinds(outcomes)[:3] in ("ok ", "in_")
    if offers is PIPELINED and verb in ("RCPT", "DATA"):
        # the group that held the first one's answer had the wrong shape: nothing in it is believed
        assert kinds(outcomes) == "in_doubt not_sent not_sent"
    else:
        assert kinds(outcomes) == expected
    assert {outcome.code for outcome in outcomes} <= {"250", "bad_reply", "connection_lost"}


async def test_one_reply_too_many_after_the_batch_costs_the_connection(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(plan(offers=PIPELINED))
    provider = provide(server)
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    server.visits[0].say(b"250 by the way\r\n")
    await server.until(lambda: server.visits[0].over)
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"
    assert len(server.visits) == 2


@pytest.mark.parametrize("reset", [b"502 what\r\n", b"354 what\r\n"])
async def test_a_peer_that_cannot_reset(
    serve: Any, provide: Any, plan: Any, letters: Any, way: Any, reset: Any
) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers, answer=say(("RCPT", 1, b"550 5.1.1 no\r\n"), ("RSET", 1, reset))))
    outcomes = await provide(server, **settings).send(letters(2), ALWAYS)
    assert outcomes[0].kind == FailureClass.PERMANENT_ADDRESS or settings.get("unanswered")
    assert outcomes[1].kind in (FailureClass.TRANSIENT, FailureClass.IN_DOUBT)
    assert not server.accepted or outcomes[1].kind == FailureClass.IN_DOUBT


async def test_bdat_said_no_to_nobody_is_no_doubt(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    """The recipient was refused, and then the connection broke: that nobody got it is known all the same."""

    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "RCPT":
            visit.say(b"550 5.1.1 no\r\n")
            visit.act("close")
            return b""
        return None

    server = await serve(plan(offers=CHUNKED, answer=answer))
    outcomes = await provide(server, chunking=True).send(letters(2), ALWAYS)
    assert kinds(outcomes) == "permanent_address not_sent"


@pytest.mark.parametrize("offers", [PIPELINED, CHUNKED], ids=["pipelined", "chunked"])
async def test_what_can_be_no_answer_to_the_last_byte_is_none(
    serve: Any, provide: Any, plan: Any, letters: Any, offers: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "END" or (verb == "BDAT" and not line):
            visit.say(b"354 go on\r\n")
            visit.act("close")
            return b""
        return None

    server = await serve(plan(offers=offers, answer=answer))
    outcomes = await provide(server, chunking=offers is CHUNKED).send(letters(2), ALWAYS)
    assert kinds(outcomes) == "in_doubt not_sent"


# the fence


async def test_a_fallen_fence_lets_nothing_out(serve: Any, provide: Any, plan: Any, letters: Any, way: Any) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    provider = provide(server, **settings)
    outcomes = await provider.send(letters(3), lambda: False)
    assert kinds(outcomes) == "not_sent not_sent not_sent"
    assert set(codes(outcomes)) == {"fence"}
    assert server.accepted == []
    assert kinds(await provider.send(letters(1), ALWAYS)) == "ok"


@pytest.mark.parametrize("stands", [1, 2])
async def test_the_fence_falls_midway(serve: Any, provide: Any, plan: Any, letters: Any, way: Any, stands: int) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))
    asked = 0

    def fence() -> bool:
        nonlocal asked
        asked += 1
        return asked <= stands

    outcomes = await provide(server, **settings).send(letters(3), fence)
    assert kinds(outcomes) == " ".join(["ok"] * stands + ["not_sent"] * (3 - stands))
    assert len(server.accepted) == stands
    assert asked == stands + 1


async def test_the_fence_is_asked_once_a_message_after_its_recipient_was_granted(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(plan(offers=PIPELINED))
    heard: list[int] = []

    def fence() -> bool:
        heard.append(sum(line.startswith("RCPT") for line in server.visits[0].lines))
        return True

    await provide(server).send(letters(3), fence)
    assert heard == [1, 2, 3]


async def test_a_fence_that_raises_has_fallen(serve: Any, provide: Any, plan: Any, letters: Any, way: Any) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers))

    def fence() -> bool:
        raise RuntimeError("no database")

    outcomes = await provide(server, **settings).send(letters(2), fence)
    assert kinds(outcomes) == "not_sent not_sent"
    assert server.accepted == []


# a caller who goes away


async def test_cancelled_before_the_dot_nothing_leaves(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(offers=PIPELINED, answer=hold("DATA")))
    task = asyncio.ensure_future(provide(server).send(letters(3), ALWAYS))
    await server.until(lambda: bool(server.visits) and "DATA" in server.visits[0].lines)
    task.cancel()
    outcomes = await task
    assert kinds(outcomes) == "not_sent not_sent not_sent"
    assert set(codes(outcomes)) == {"cancelled"}
    assert server.accepted == []


async def test_cancelled_after_the_dot_its_answer_is_waited_for(
    serve: Any, provide: Any, plan: Any, letters: Any, way: Any
) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers, answer=hold("END")))
    task = asyncio.ensure_future(provide(server, **settings).send(letters(3), ALWAYS))
    await server.until(lambda: bool(server.visits) and server.visits[0].holding)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    server.plan.answer = lambda visit, verb, line: None
    server.visits[0].go_on(b"250 2.0.0 Ok\r\n")
    outcomes = await task
    told = settings.get("unanswered", 1)
    assert kinds(outcomes) == " ".join(["ok"] * told + ["not_sent"] * (3 - told))
    assert set(codes(outcomes)) <= {"250", "cancelled"}


async def test_cancelled_twice_after_the_dot_it_is_in_doubt(
    serve: Any, provide: Any, plan: Any, letters: Any, way: Any
) -> None:
    offers, settings = way
    server = await serve(plan(offers=offers, answer=hold("END")))
    task = asyncio.ensure_future(provide(server, **settings).send(letters(3), ALWAYS))
    await server.until(lambda: bool(server.visits) and server.visits[0].holding)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    outcomes = await task
    doubts = settings.get("unanswered", 1)
    assert kinds(outcomes) == " ".join(["in_doubt"] * doubts + ["not_sent"] * (3 - doubts))


async def test_a_deadline_around_send_still_gets_its_outcomes(
    serve: Any, provide: Any, plan: Any, letters: Any
) -> None:
    server = await serve(plan(offers=PIPELINED, answer=hold("RCPT")))
    outcomes: list[Any] = []
    async with asyncio.timeout(0.05):
        outcomes = await provide(server).send(letters(2), ALWAYS)
    assert kinds(outcomes) == "not_sent not_sent"


async def test_cancelled_while_it_waits_for_a_connection(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(greeting=b""))
    provider = provide(server, connections=1)
    tasks = [asyncio.ensure_future(provider.send(letters(2), ALWAYS)) for _ in range(3)]
    await server.until(lambda: len(server.visits) == 1)
    for task in tasks:
        task.cancel()
    for outcomes in await asyncio.gather(*tasks):
        assert kinds(outcomes) == "not_sent not_sent"
