"""Against servers that we did not write: Postfix's smtp-sink, and a whole Postfix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import pytest

ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731


def kinds(outcomes: list[Any]) -> str:
    return " ".join(outcome.kind for outcome in outcomes)


# smtp-sink


@pytest.mark.parametrize("flags", [(), ("-p",), ("-e",), ("-8", "-E")], ids=" ".join)
async def test_the_sink_takes_every_message_byte_for_byte(
    sink: Any, provide: Any, letters: Any, flags: tuple[str, ...]
) -> None:
    """With pipelining, without, without ESMTP, without extensions."""
    peer = sink(*flags)
    messages = letters(5)
    assert kinds(await provide(f"smtp://127.0.0.1:{peer.port}").send(messages, ALWAYS)) == "ok ok ok ok ok"
    received = {re.search(rb"X-Rcpt-Args: <(.*?)>", mail)[1]: mail for mail in peer.mails()}  # type: ignore[index]
    assert len(received) == 5
    for message in messages:
        mail = received[message.to.encode()]
        assert b"X-Mail-Args: <shop@shop.example>" in mail
        assert mail.partition(b"Subject:")[2].rstrip(b"\n") == message.body.replace(b"\r\n", b"\n")[8:].rstrip(b"\n")


async def test_forty_lanes_of_fives(sink: Any, provide: Any, letters: Any) -> None:
    peer = sink()
    provider = provide(f"smtp://127.0.0.1:{peer.port}", connections=10)

    async def lane(n: int) -> list[str]:
        return [kinds(await provider.send(letters(5, to=f"l{n}.{b}@x.example"), ALWAYS)) for b in range(5)]

    every = await asyncio.gather(*(lane(n) for n in range(40)))
    assert {outcome for one in every for outcome in one} == {"ok ok ok ok ok"}
    assert len(peer.mails()) == 1000


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("-f", "MAIL"), "permanent_content permanent_content"),
        (("-f", "DATA"), "permanent_content permanent_content"),
        (("-f", "."), "permanent_content permanent_content"),
        (("-r", "RCPT"), "transient transient"),
        (("-r", "."), "transient transient"),
        (("-f", "CONNECT"), "provider_config provider_config"),
        (("-r", "CONNECT"), "transient transient"),
        (("-q", "MAIL"), "transient not_sent"),
        (("-q", "DATA"), "transient not_sent"),
        (("-q", "."), "in_doubt not_sent"),
    ],
    ids=str,
)
async def test_the_sink_refuses_or_hangs_up(
    sink: Any, provide: Any, letters: Any, flags: tuple[str, ...], expected: str
) -> None:
    peer = sink(*flags)
    outcomes = await provide(f"smtp://127.0.0.1:{peer.port}").send(letters(2), ALWAYS)
    assert kinds(outcomes) == expected
    assert all(outcome.code for outcome in outcomes)


# Postfix

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "in clear": ("smtp://127.0.0.1:{port}", {}),
    "chunked": ("smtp://127.0.0.1:{port}", {"chunking": True}),
    "chunked by three": ("smtp://127.0.0.1:{port}", {"chunking": True, "unanswered": 3}),
    "STARTTLS": ("smtp+starttls://127.0.0.1:{port}", {}),
    "TLS, chunked": ("smtps://localhost:{tls_port}", {"chunking": True}),
}


@pytest.fixture(params=WAYS)
def relay(request: pytest.FixtureRequest, postfix: Any, provide: Any, certificates: Any) -> Any:
    """A provider that hands mail to Postfix, in each way."""
    url, settings = WAYS[request.param]
    return provide(url.format(port=postfix.port, tls_port=postfix.tls_port), ca_file=certificates.ca_file, **settings)


async def test_postfix_takes_refuses_and_defers_each_for_itself(relay: Any, letter: Any) -> None:
    messages = [
        letter(0, to="a@thrown.example"),
        letter(1, to="nobody@kept.example"),
        letter(2, to="b@thrown.example"),
        letter(3, to="later@kept.example"),
        letter(4, to="grey@kept.example"),
        letter(5, to="c@thrown.example", sender="evil@shop.example"),
        letter(6, to="d@thrown.example", body=b"Subject: forbidden\r\n\r\nx\r\n"),
        letter(7, to="e@thrown.example"),
    ]
    for _ in range(2):  # the second time over the same, warm connection
        outcomes = await relay.send(messages, ALWAYS)
        assert [(outcome.kind, outcome.code) for outcome in outcomes] == [
            ("ok", "250"),
            ("permanent_address", "550 5.1.1"),
            ("ok", "250"),
            ("transient", "450 4.2.1"),
            ("throttled", "450 4.7.1"),
            ("permanent_content", "550 5.7.1"),
            ("permanent_content", "550 5.7.1"),
            ("ok", "250"),
        ]
        assert "no such user" in outcomes[1].text
        assert all(re.fullmatch(r"[0-9A-Za-z]{8,}", outcomes[place].reference) for place in (0, 2, 7))


async def test_what_postfix_delivers_is_what_was_sent(
    relay: Any, postfix: Any, letter: Any, until: Any, request: pytest.FixtureRequest
) -> None:
    mark = request.node.name
    text = f"Grüße, {mark}\r\n.\r\n..zwei Punkte\r\n\r\n.\r\n"
    head = "From: Shop <shop@shop.example>\r\nTo: Ada <ada@kept.example>\r\nMessage-ID: <{}@shop.example>\r\n"
    kind = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n'
    bodies = [(head.format(place) + f"Subject: {mark} {place}\r\n" + kind + "\r\n" + text) for place in range(3)]
    messages = [letter(n, to="ada@kept.example", body=body.encode()) for n, body in enumerate(bodies)]
    assert kinds(await relay.send(messages, ALWAYS)) == "ok ok ok"

    def arrived() -> list[bytes]:
        return [mail for mail in postfix.kept() if f"Subject: {mark} ".encode() in mail]

    until(lambda: len(arrived()) == 3, "delivery")
    parsed = sorted((message_from_bytes(mail, policy=policy.default) for mail in arrived()), key=lambda m: m["Subject"])
    for place, mail in enumerate(parsed):
        assert mail["Subject"] == f"{mark} {place}"
        assert mail["Message-ID"] == f"<{place}@shop.example>"
        assert mail.get_content() == text.replace("\r\n", "\n")
        assert mail["Return-Path"] == "<shop@shop.example>"


async def test_smtputf8_through_postfix(relay: Any, postfix: Any, letter: Any, until: Any, request: Any) -> None:
    body = f"From: shop@shop.example\r\nSubject: Grüße {request.node.name}\r\n\r\nü\r\n".encode()
    message = letter(0, to="grüße@kept.example", body=body, international=True)
    assert kinds(await relay.send([message], ALWAYS)) == "ok"
    name = request.node.name.encode()
    until(lambda: any(b"Subject: Gr\xc3\xbc\xc3\x9fe " + name in mail for mail in postfix.kept()), "delivery")


async def test_too_large_for_postfix_is_known_before_it_is_sent(relay: Any, letter: Any) -> None:
    big = letter(0, to="a@thrown.example", body=b"Subject: x\r\n\r\n" + b"x" * 76 + b"\r\n" * 100_000)
    outcomes = await relay.send([big, letter(1, to="b@thrown.example")], ALWAYS)
    assert [outcome.code for outcome in outcomes] == ["too_large", "250"]


async def test_postfix_is_pinged(relay: Any) -> None:
    assert await relay.ping() is None


async def test_a_credential_for_a_postfix_without_auth(postfix: Any, provide: Any, letters: Any) -> None:
    outcomes = await provide(f"smtp://127.0.0.1:{postfix.port}", "ada:secret", verify=False).send(letters(1), ALWAYS)
    assert [(outcome.kind, outcome.code) for outcome in outcomes] == [("provider_config", "auth_missing")]


async def test_postfix_takes_mail_of_whom_it_knows(guarded: Any, provide: Any, letters: Any, certificates: Any) -> None:
    url = f"smtp+starttls://127.0.0.1:{guarded.auth_port}"
    known = provide(url, "ada:secret", ca_file=certificates.ca_file)
    assert await known.ping() is None
    assert kinds(await known.send(letters(2, to="a@thrown.example"), ALWAYS)) == "ok ok"
    wrong = await provide(url, "ada:guessed", ca_file=certificates.ca_file).send(letters(1), ALWAYS)
    assert [(outcome.kind, outcome.code) for outcome in wrong] == [("provider_config", "535 5.7.8")]
    assert "guessed" not in repr(wrong)
    stranger = await provide(url, ca_file=certificates.ca_file).send(letters(1, to="a@thrown.example"), ALWAYS)
    assert [outcome.told for outcome in stranger] == [False]
    assert guarded.log().count("sasl_username=ada") >= 1
