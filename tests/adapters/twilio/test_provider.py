"""How messages go over HTTP, and what is made of every end that they can come to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pagerd.adapters.twilio import codes
from pagerd.adapters.twilio.kind import KIND
from pagerd.adapters.twilio.provider import TwilioProvider
from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome

F = FailureClass
Made = Callable[..., Any]
DEADLINE = 20.0


def standing() -> bool:
    return True


async def one(provider: TwilioProvider, message: Message) -> Outcome:
    async with asyncio.timeout(DEADLINE):
        (outcome,) = await provider.send([message], standing)
    return outcome


async def test_a_message_leaves_as_the_api_wants_it(api: Any, provider_of: Made, message: Made) -> None:
    provider = provider_of(status_callback="https://shop.example/sms?a=1")
    said = await one(provider, message(text="Grüße & 50 % <b>"))
    assert (said.kind, said.code) == (F.OK, "201")
    assert said.reference == "SM" + "1".zfill(32)
    assert api.forms == [
        {
            "To": "+12025550123",
            "From": "+12025550100",
            "Body": "Grüße & 50 % <b>",
            "StatusCallback": "https://shop.example/sms?a=1&recipient=rcp_0",
        }
    ]
    assert api.requests[0].content_type == "application/x-www-form-urlencoded"
    assert "Transfer-Encoding" not in api.requests[0].headers


async def test_the_messages_sender_wins_and_a_service_is_no_number(api: Any, provider_of: Made, message: Made) -> None:
    service = "MG" + "a" * 32
    await one(provider_of(), message(sender=service))
    await one(provider_of(sender="Shop"), message())
    assert [form.get("MessagingServiceSid") for form in api.forms] == [service, None]
    assert [form.get("From") for form in api.forms] == [None, "Shop"]


async def test_as_many_at_a_time_as_connections(api: Any, provider_of: Made, message: Made) -> None:
    api.release.clear()
    provider = provider_of(connections=3)
    people = [message(f"+1202555{n:04}", place=n) for n in range(10)]
    task = asyncio.create_task(provider.send(people, standing))
    async with asyncio.timeout(DEADLINE):
        while api.under_way < 3:
            api.came.clear()
            await api.came.wait()
        api.release.set()
        said = await task
    assert [outcome.kind for outcome in said] == [F.OK] * 10
    assert [outcome.place for outcome in said] == list(range(10))
    assert api.most_under_way == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, F.PERMANENT_ADDRESS),
        (400, 21614, F.PERMANENT_ADDRESS),
        (400, 21610, F.PERMANENT_ADDRESS),
        (400, 21617, F.PERMANENT_CONTENT),
        (400, 99999, F.PERMANENT_CONTENT),
        (400, 21606, F.PROVIDER_CONFIG),
        (401, 20003, F.PROVIDER_CONFIG),
        (403, 0, F.PROVIDER_CONFIG),
        (404, 20404, F.PROVIDER_CONFIG),
        (302, 0, F.PROVIDER_CONFIG),
        (429, 20429, F.THROTTLED),
        (429, 0, F.THROTTLED),
        (400, 30001, F.TRANSIENT),
        (400, 30003, F.TRANSIENT),
        (503, 0, F.TRANSIENT),
        (500, 20500, F.TRANSIENT),
        (500, 0, F.IN_DOUBT),
        (502, 0, F.IN_DOUBT),
        (504, 0, F.IN_DOUBT),
    ],
)
async def test_an_answer_means_what_the_table_says(
    api: Any, apis: Any, provider_of: Made, message: Made, status: int, code: int, kind: FailureClass
) -> None:
    bad, good = message("+12025550199"), message(place=1)
    api.ways[bad.to] = apis.says(status, code, Location=f"{api.url}/elsewhere")
    said = await provider_of(connections=1).send([bad, good], standing)
    assert [outcome.kind for outcome in said] == [kind, F.OK]
    assert said[0].code.split()[0] == str(status)
    assert api.told == [good.to]
    assert len(api.requests) == 2, "a redirection is never followed"


@pytest.mark.parametrize(("code", "kind"), codes.CODES.items())
def test_every_code_decides_before_the_status(code: int, kind: FailureClass) -> None:
    assert codes.look_up(418, code) is kind


@pytest.mark.parametrize(("status", "kind"), codes.STATUSES.items())
def test_every_status_decides_where_no_code_does(status: int, kind: FailureClass) -> None:
    assert codes.look_up(status, None) is kind
    assert codes.look_up(status, 1) is kind


async def test_a_pause_that_is_asked_for_is_told(api: Any, apis: Any, provider_of: Made, message: Made) -> None:
    header = {"Retry-After": "7"}
    for number, status in (("+12025550198", 429), ("+12025550199", 503)):
        api.ways[number] = apis.says(status, **header)
        said = await one(provider_of(), message(number))
        assert (said.kind, said.retry_after) == (F.THROTTLED, 7.0)


async def test_a_wrong_credential_is_the_providers_fault(api: Any, provider_of: Made, message: Made) -> None:
    provider = provider_of(credential="wrong")
    said = await one(provider, message())
    assert (said.kind, said.code) == (F.PROVIDER_CONFIG, "401 20003")
    with pytest.raises(Unavailable, match="401 20003"):
        await provider.ping()
    assert api.told == []


async def test_too_long_a_text_is_refused_before_it_costs(api: Any, provider_of: Made, message: Made) -> None:
    provider = provider_of(max_segments=2)
    said = await one(provider, message(text="x" * 307))
    assert (said.kind, said.code) == (F.PERMANENT_CONTENT, "too_many_segments")
    assert (await one(provider, message(text="x" * 306))).told
    assert len(api.told) == 1


async def test_an_answer_that_never_comes_is_a_doubt(api: Any, provider_of: Made, message: Made) -> None:
    api.release.clear()
    said = await one(provider_of(answer_timeout=0.05), message())
    assert (said.kind, said.code) == (F.IN_DOUBT, "timeout")


@pytest.mark.parametrize("way", ["loses", "breaks"])
async def test_a_connection_that_breaks_after_the_body_is_a_doubt(
    api: Any, apis: Any, provider_of: Made, message: Made, way: str
) -> None:
    api.ways["+12025550123"] = getattr(apis, way)
    said = await one(provider_of(), message())
    assert (said.kind, said.code) == (F.IN_DOUBT, "connection_lost")


async def test_nobody_there_is_transient(api: Any, provider_of: Made, message: Made) -> None:
    provider = provider_of()
    await api.aclose()
    said = await one(provider, message())
    assert (said.kind, said.code) == (F.TRANSIENT, "connect_failed")


async def test_a_name_that_nobody_has(provider_of: Made, message: Made) -> None:
    said = await one(provider_of(base_url="https://nobody.invalid"), message())
    assert said.kind is F.TRANSIENT
    assert said.code in ("dns_failed", "connect_failed")


async def test_a_peer_without_tls_is_the_settings_fault(api: Any, provider_of: Made, message: Made) -> None:
    said = await one(provider_of(base_url=api.url.replace("http:", "https:")), message())
    assert (said.kind, said.code) == (F.PROVIDER_CONFIG, "tls_failed")
    assert api.told == []


async def test_the_fence_is_asked_when_the_connection_stands(api: Any, provider_of: Made, message: Made) -> None:
    asked: list[int] = []

    def fence() -> bool:
        asked.append(len(api.requests))
        return False

    (said,) = await provider_of().send([message()], fence)
    assert (said.kind, said.code) == (F.NOT_SENT, "fence")
    assert asked == [0]
    assert api.told == []


async def test_cancelled_it_waits_for_what_has_left(api: Any, provider_of: Made, message: Made) -> None:
    api.release.clear()
    provider = provider_of(connections=1)
    task = asyncio.create_task(provider.send([message(place=n) for n in range(3)], standing))
    async with asyncio.timeout(DEADLINE):
        await api.came.wait()
        task.cancel()
        await asyncio.sleep(0)
        api.release.set()
        said = await task
    assert [outcome.kind for outcome in said] == [F.OK, F.NOT_SENT, F.NOT_SENT]
    assert len(api.told) == 1


async def test_cancelled_twice_it_leaves_a_doubt(api: Any, provider_of: Made, message: Made) -> None:
    api.release.clear()
    task = asyncio.create_task(provider_of(connections=1).send([message(place=n) for n in range(2)], standing))
    async with asyncio.timeout(DEADLINE):
        await api.came.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        said = await task
    assert [(outcome.kind, outcome.code) for outcome in said] == [(F.IN_DOUBT, "cancelled"), (F.NOT_SENT, "cancelled")]


@contextlib.asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """A server that answers whatever comes with the same bytes, then closes."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"Body=Hello")
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.close()


ENDLESS = b"HTTP/1.1 201 Created\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 300_000


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"no HTTP at all\r\n\r\n", F.IN_DOUBT),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{", F.OK),
        (ENDLESS, F.OK),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 5\r\n\r\n[[[[[", F.PERMANENT_CONTENT),
        (b'HTTP/1.1 201 Created\r\nContent-Length: 60\r\n\r\n{"status": "failed", "error_code": 21610', F.OK),
        (
            b'HTTP/1.1 201 Created\r\nContent-Length: 40\r\n\r\n{"status":"failed", "error_code": 30006}',
            F.PERMANENT_ADDRESS,
        ),
    ],
    ids=["garbage", "cut off", "endless", "no JSON", "half JSON", "taken and failed"],
)
async def test_strange_answers(provider_of: Made, message: Made, answer: bytes, kind: FailureClass) -> None:
    async with raw_server(answer) as url:
        said = await one(provider_of(base_url=url), message())
    assert said.kind is kind


async def test_a_cookie_is_not_kept(api: Any, apis: Any, provider_of: Made, message: Made) -> None:
    api.ways["+12025550199"] = apis.says(400, 21211, **{"Set-Cookie": "a=b"})
    provider = provider_of()
    await one(provider, message("+12025550199"))
    await one(provider, message())
    assert all("Cookie" not in request.headers for request in api.requests)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"account": "me"}, "account"),
        ({"base_url": "http://api.example.com"}, "clear"),
        ({"base_url": "ftp://api.example.com"}, "https"),
        ({"base_url": "https://api.example.com/v1"}, "after the host"),
        ({"base_url": "https://user:secret@api.example.com"}, "no user"),
        ({"status_callback": "shop.example/sms"}, "status_callback"),
        ({"max_segments": 11}, "max_segments"),
        ({"default_region": "Austria"}, "default_region"),
        ({"acount": "x"}, "acount"),
    ],
)
def test_wrong_settings_are_named(apis: Any, fields: dict[str, Any], words: str) -> None:
    import msgspec

    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"account": apis.ACCOUNT} | fields, TwilioSettings)


def test_what_can_not_work_is_said_when_it_is_made(apis: Any) -> None:
    settings = TwilioSettings(account=apis.ACCOUNT)
    with pytest.raises(Misconfigured) as missing:
        KIND.open("text", settings, None)
    assert missing.value.code == "credential_missing"
    with pytest.raises(Misconfigured) as unknown:
        KIND.open("text", TwilioSettings(account=apis.ACCOUNT, default_region="XX"), "secret")
    assert unknown.value.code == "region_unknown"
    assert not KIND.loopback_only(settings)
    assert KIND.loopback_only(TwilioSettings(account=apis.ACCOUNT, base_url="http://127.0.0.1:1"))
