"""From nothing to a connection: each step with its own failure, and no password in clear across a network."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from pagerd.adapters.smtp.opening import Opener
from pagerd.adapters.smtp.refusal import Refusal
from pagerd.adapters.smtp.settings import SmtpSettings, peer_of
from pagerd.adapters.smtp.wire import Wire
from pagerd.core.errors import Unavailable

ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731


async def outcome_of(provider: Any, letters: Any) -> tuple[str, str]:
    """Send two messages; return the class and code that both got."""
    outcomes = await provider.send(letters(2), ALWAYS)
    assert len(outcomes) == 2
    ((kind, code),) = {(outcome.kind, outcome.code) for outcome in outcomes}
    return kind, code


def auth(table: dict[str, bytes]) -> Callable[[Any, str, str], bytes | None]:
    """Answer whole lines."""
    return lambda visit, verb, line: table.get(line)


# greeting and hello


@pytest.mark.parametrize(
    ("greeting", "kind", "code"),
    [
        (b"554 5.7.1 your address is listed\r\n", "provider_config", "554 5.7.1"),
        (b"421 4.7.0 too many connections\r\n", "throttled", "421 4.7.0"),
        (b"421 busy\r\n", "transient", "421"),
        (b"450 4.3.2 later\r\n", "throttled", "450 4.3.2"),
        (b"HTTP/1.1 400 Bad Request\r\n", "transient", "bad_reply"),
        (b"354 go\r\n", "transient", "bad_reply"),
    ],
)
async def test_a_greeting_that_is_none(
    serve: Any, provide: Any, plan: Any, letters: Any, greeting: bytes, kind: str, code: str
) -> None:
    server = await serve(plan(greeting=greeting))
    assert await outcome_of(provide(server), letters) == (kind, code)


async def test_a_greeting_of_many_lines(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(greeting=b"220-welcome\r\n220 in\r\n"))
    assert await outcome_of(provide(server), letters) == ("ok", "250")


async def test_no_greeting_in_time(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(greeting=b""))
    assert await outcome_of(provide(server, greeting_timeout=0.05), letters) == ("transient", "timeout")


@pytest.mark.parametrize("refusal", [b"500 what\r\n", b"502 5.5.2 what\r\n", b"504 what\r\n"])
async def test_a_peer_that_only_knows_helo(serve: Any, provide: Any, plan: Any, letters: Any, refusal: bytes) -> None:
    server = await serve(plan(answer=lambda visit, verb, line: refusal if verb == "EHLO" else None))
    assert await outcome_of(provide(server, helo="me.example"), letters) == ("ok", "250")
    assert server.visits[0].lines[:2] == ["EHLO me.example", "HELO me.example"]
    assert server.accepted[0].parameters == ""


async def test_a_peer_that_wants_nobody(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(answer=lambda visit, verb, line: b"550 5.7.1 no\r\n" if verb == "EHLO" else None))
    assert await outcome_of(provide(server), letters) == ("provider_config", "550 5.7.1")


async def test_we_say_a_full_name_or_an_address_literal(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    await provide(server).send(letters(1), ALWAYS)
    name = socket.gethostname()
    expected = name if "." in name else "[127.0.0.1]"
    assert server.visits[0].lines[0] == f"EHLO {expected}"


# connect


async def test_nobody_listens(provide: Any, letters: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{taken.getsockname()[1]}"
        provider = provide(url)
        assert await outcome_of(provider, letters) == ("transient", "connect_failed")
        with pytest.raises(Unavailable, match="connect_failed"):
            await provider.ping()


async def test_a_name_that_is_none(provide: Any, letters: Any) -> None:
    assert await outcome_of(provide(f"smtp://{'x' * 70}.invalid:25"), letters) == ("transient", "dns_failed")


async def test_nobody_accepts_in_time(provide: Any, letters: Any) -> None:
    """A listener whose queue is full does not answer."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        provider = provide(f"smtp://127.0.0.1:{port}", connect_timeout=0.1)
        assert await outcome_of(provider, letters) == ("transient", "connect_failed")


# TLS


async def test_implicit_tls(serve: Any, provide: Any, letters: Any, certificates: Any) -> None:
    server = await serve(implicit=certificates.server())
    provider = provide(f"smtps://localhost:{server.port}", ca_file=certificates.ca_file)
    assert await outcome_of(provider, letters) == ("ok", "250")
    assert server.visits[0].secure


async def test_starttls(serve: Any, provide: Any, plan: Any, letters: Any, certificates: Any) -> None:
    offers = ("PIPELINING", "STARTTLS")
    server = await serve(plan(offers=offers, tls=certificates.server()))
    provider = provide(f"smtp+starttls://127.0.0.1:{server.port}", ca_file=certificates.ca_file)
    assert await outcome_of(provider, letters) == ("ok", "250")
    assert server.visits[0].secure
    assert [line.split()[0] for line in server.visits[0].lines[:4]] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


async def test_auto_leaves_a_neighbour_in_clear_unless_auth_needs_tls(
    serve: Any, provide: Any, plan: Any, letters: Any, certificates: Any
) -> None:
    server = await serve(plan(offers=("PIPELINING", "STARTTLS"), tls=certificates.server()))
    assert await outcome_of(provide(server), letters) == ("ok", "250")
    assert not server.visits[0].secure

    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "EHLO" and visit.secure:
            return b"250-peer\r\n250 AUTH PLAIN\r\n"
        return b"235 2.7.0 in\r\n" if verb == "AUTH" else None

    server.plan.answer = answer
    provider = provide(server, "ada:secret", ca_file=certificates.ca_file)
    assert await outcome_of(provider, letters) == ("ok", "250")
    assert server.visits[1].secure


@pytest.mark.parametrize(
    "case",
    [
        (("PIPELINING",), {}, "provider_config", "tls_missing"),
        (("STARTTLS",), {"STARTTLS": b"454 4.3.0 not now\r\n"}, "transient", "454 4.3.0"),
        (("STARTTLS",), {"STARTTLS": b"502 no\r\n"}, "provider_config", "502"),
        (("STARTTLS",), {"STARTTLS": b"354 eh\r\n"}, "transient", "bad_reply"),
        (("STARTTLS",), {"STARTTLS": b"220 go\r\n250 injected\r\n"}, "provider_config", "tls_injection"),
        (("STARTTLS",), {"STARTTLS": b"220 go\r\n250 inj"}, "provider_config", "tls_injection"),
    ],
)
async def test_required_tls_is_required(serve: Any, provide: Any, plan: Any, letters: Any, case: Any) -> None:
    offers, table, kind, code = case
    server = await serve(plan(offers=offers, answer=auth(table)))
    provider = provide(server, tls="required")
    assert await outcome_of(provider, letters) == (kind, code)
    assert server.accepted == []


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_certificate_that_nobody_vouches_for(
    serve: Any, provide: Any, plan: Any, letters: Any, certificates: Any, scheme: str
) -> None:
    tls = certificates.server()
    server = await serve(plan(offers=("STARTTLS",), tls=tls), implicit=tls if scheme == "smtps" else None)
    url = f"{scheme}://localhost:{server.port}"
    provider = provide(url)
    assert await outcome_of(provider, letters) == ("provider_config", "tls_unverified")
    with pytest.raises(Unavailable, match="ca_file"):
        await provider.ping()
    assert await outcome_of(provide(url, verify=False), letters) == ("ok", "250")


async def test_a_peer_that_does_not_speak_tls(serve: Any, provide: Any, letters: Any) -> None:
    server = await serve()
    assert await outcome_of(provide(f"smtps://127.0.0.1:{server.port}"), letters) == ("provider_config", "tls_failed")


async def test_a_peer_that_hangs_up_during_the_handshake(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "STARTTLS":
            visit.say(b"220 go\r\n")
            visit.act("close")
            return b""
        return None

    server = await serve(plan(offers=("STARTTLS",), answer=answer))
    kind, code = await outcome_of(provide(server, tls="required"), letters)
    assert (kind, code) == ("transient", "connection_lost")


async def test_a_batch_over_tls_breaks_like_one_in_clear(
    serve: Any, provide: Any, plan: Any, letters: Any, certificates: Any
) -> None:
    def answer(visit: Any, verb: str, line: str) -> bytes | None:
        if verb == "END" and len(server.accepted) == 1:
            visit.act("reset")
            return b""
        return None

    server = await serve(plan(answer=answer), implicit=certificates.server())
    provider = provide(f"smtps://localhost:{server.port}", ca_file=certificates.ca_file)
    outcomes = await provider.send(letters(3), ALWAYS)
    assert [outcome.kind for outcome in outcomes] == ["ok", "in_doubt", "not_sent"]


# AUTH

PLAIN = "AUTH PLAIN " + base64.b64encode(b"\0ada\0s\xc3\xbc:cret").decode()


@pytest.mark.parametrize(
    "case",
    [
        ("AUTH PLAIN LOGIN", {PLAIN: b"235 2.7.0 in\r\n"}, "ok", "250"),
        ("AUTH PLAIN", {PLAIN: b"535 5.7.8 wrong\r\n"}, "provider_config", "535 5.7.8"),
        ("AUTH PLAIN", {PLAIN: b"454 4.7.0 too many\r\n"}, "throttled", "454 4.7.0"),
        ("AUTH PLAIN", {PLAIN: b"250 eh\r\n"}, "transient", "bad_reply"),
        (
            "AUTH LOGIN",
            {"AUTH LOGIN": b"334 VXNlcm5hbWU6\r\n", "YWRh": b"334 UGFzc3dvcmQ6\r\n", "c8O8OmNyZXQ=": b"235 in\r\n"},
            "ok",
            "250",
        ),
        ("AUTH LOGIN", {"AUTH LOGIN": b"334 x\r\n", "YWRh": b"535 5.7.8 who\r\n"}, "provider_config", "535 5.7.8"),
        ("AUTH LOGIN", {"AUTH LOGIN": b"504 5.7.4 no\r\n"}, "provider_config", "504 5.7.4"),
        ("AUTH CRAM-MD5 GSSAPI", {}, "provider_config", "auth_unsupported"),
        ("PIPELINING", {}, "provider_config", "auth_missing"),
    ],
)
async def test_auth(serve: Any, provide: Any, plan: Any, letters: Any, case: Any) -> None:
    offer, table, kind, code = case
    server = await serve(plan(offers=("PIPELINING", offer), answer=auth(table)))
    assert await outcome_of(provide(server, "ada:sü:cret"), letters) == (kind, code)


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_long_password_goes_on_a_line_of_its_own(
    serve: Any, provide: Any, plan: Any, letters: Any, accepted: bool
) -> None:
    password = "x" * 600
    response = base64.b64encode(f"\0ada\0{password}".encode()).decode()
    table = {"AUTH PLAIN": b"334 \r\n" if accepted else b"501 no\r\n", response: b"235 in\r\n"}
    server = await serve(plan(offers=("AUTH PLAIN",), answer=auth(table)))
    kind, _ = await outcome_of(provide(server, f"ada:{password}"), letters)
    assert kind == ("ok" if accepted else "provider_config")


class Faraway(asyncio.Transport):
    """A connection to a host that is not this one, and says what it is told to say."""

    def __init__(self, says: dict[bytes, bytes]) -> None:
        super().__init__({"peername": ("192.0.2.25", 25), "sockname": ("192.0.2.1", 40000)})
        self.says = says
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        if reply := self.says.get(bytes(data).split()[0]):
            asyncio.get_running_loop().call_soon(self.hear, reply)

    def hear(self, reply: bytes) -> None:
        self.wire.get_buffer(-1)[: len(reply)] = reply
        self.wire.buffer_updated(len(reply))

    def abort(self) -> None:
        self.written.append(b"(aborted)")


@pytest.mark.parametrize(
    ("tls", "offer", "code"),
    [
        ("auto", b"250-peer\r\n250 AUTH PLAIN\r\n", "tls_missing"),
        ("off", b"250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "tls_missing"),
        ("required", b"250-peer\r\n250 AUTH PLAIN\r\n", "tls_missing"),
        ("auto", b"250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "454"),
    ],
)
async def test_no_password_crosses_a_network_in_clear(tls: Any, offer: bytes, code: str) -> None:
    settings = SmtpSettings(url="smtp://192.0.2.25", tls=tls, helo="me.example")
    opener = Opener(peer_of(settings, "ada:secret"), settings)
    transport = Faraway({b"EHLO": offer, b"STARTTLS": b"454 not now\r\n"})
    wire = transport.wire = Wire(asyncio.get_running_loop(), 5.0)  # type: ignore[attr-defined]
    wire.connection_made(transport)
    transport.hear(b"220 peer\r\n")
    with pytest.raises(Refusal) as caught:
        await opener._make_ready(wire)
    assert caught.value.code == code
    assert not any(line.startswith(b"AUTH") for line in transport.written)
    wire.abort()


async def test_a_neighbour_may_hear_it(serve: Any, provide: Any, plan: Any, letters: Any) -> None:
    server = await serve(plan(offers=("AUTH PLAIN",), answer=auth({PLAIN: b"235 in\r\n"})))
    assert await outcome_of(provide(server, "ada:sü:cret", tls="off"), letters) == ("ok", "250")


# ping


async def test_ping(serve: Any, provide: Any, plan: Any) -> None:
    server = await serve(plan(offers=("AUTH PLAIN",), answer=auth({PLAIN: b"235 in\r\n"})))
    await provide(server, "ada:sü:cret").ping()
    await server.until(lambda: server.visits[0].lines[-1] == "QUIT")
    wrong = provide(server, "ada:wrong")
    with pytest.raises(Unavailable) as caught:
        await wrong.ping()
    assert caught.value.code == "502 5.5.2"


async def test_tls_is_1_2_or_newer(serve: Any, provide: Any, letters: Any, certificates: Any) -> None:
    old = certificates.server()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server = await serve(implicit=old)
    provider = provide(f"smtps://localhost:{server.port}", ca_file=certificates.ca_file)
    assert await outcome_of(provider, letters) == ("ok", "250")
    assert server.visits[0].transport.get_extra_info("ssl_object").version() == "TLSv1.2"
