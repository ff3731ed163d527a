"""The SMS capture server, asked by the provider that speaks its API, and by strangers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.capture.sms import REFUSED, SmsServer
from pagerd.adapters.twilio.provider import TwilioProvider
from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass
from pagerd.core.policy import Channel

ACCOUNT = "AC" + "0" * 32


@pytest.fixture
async def server(mailbox: Mailbox) -> AsyncIterator[SmsServer]:
    made = SmsServer(mailbox)
    await made.start()
    yield made
    await made.aclose()
    await made.aclose()


@pytest.fixture
async def provider(server: SmsServer) -> AsyncIterator[TwilioProvider]:
    settings = TwilioSettings(account=ACCOUNT, base_url=f"http://{server.host}:{server.port}", sender="Shop")
    made = TwilioProvider("text", settings, "anything")
    yield made
    await made.aclose()


def sms(to: str, text: str) -> Message:
    return Message(place=0, to=to, sender="", key="rcp_1", body=text.encode())


async def test_what_the_provider_sends_is_kept(mailbox: Mailbox, provider: TwilioProvider) -> None:
    await provider.ping()
    (said,) = await provider.send([sms("+12025550123", "Hi\nZoë <b>€</b>")], lambda: True)
    assert said.told
    (brief,) = await mailbox.page(10)
    assert (brief.id, brief.channel, brief.subject) == (said.reference, Channel.SMS, "Hi Zoë <b>€</b>")
    assert (brief.sender, brief.recipients) == ("Shop", ("+12025550123",))
    whole = await mailbox.get(brief.id)
    assert whole is not None
    assert (whole.text, whole.encoding, whole.segments) == ("Hi\nZoë <b>€</b>", "UCS-2", 1)
    assert "ë" in whole.problems[0]
    assert [one.id for one in await mailbox.page(10, search="zoë")] == [brief.id]
    assert [one.id for one in await mailbox.page(10, to="+12025550123")] == [brief.id]
    assert await mailbox.page(10, to="+12025550124") == []


@pytest.mark.parametrize(("number", "code"), [(number, code) for number, (code, _) in REFUSED.items()])
async def test_numbers_for_tests_are_refused(provider: TwilioProvider, number: str, code: int) -> None:
    (said,) = await provider.send([sms(number, "Hi")], lambda: True)
    assert said.code == f"400 {code}"
    assert said.kind in (FailureClass.PERMANENT_ADDRESS, FailureClass.PROVIDER_CONFIG)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 21604),
        ({"To": "+1"}, 21603),
        ({"To": "+1", "From": "x"}, 21602),
        ({"To": "+1", "From": "x", "Body": "x" * 1601}, 21617),
    ],
)
async def test_what_a_stranger_forgets(mailbox: Mailbox, server: SmsServer, form: dict[str, str], code: int) -> None:
    url = f"http://{server.host}:{server.port}/2010-04-01/Accounts/me/Messages.json"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, code)
    assert mailbox.count == 0


async def test_mails_and_texts_are_there_again_after_a_restart(tmp_path: Path) -> None:
    before = Mailbox(tmp_path)
    before.deliver(b"a@example.com", [b"b@example.com"], b"Subject: mail\r\n\r\n")
    before.deliver_text("Shop", "+12025550123", "text")
    await before.aclose()
    after = Mailbox(tmp_path)
    assert [(one.channel, one.subject) for one in await after.page(10)] == [
        (Channel.SMS, "text"),
        (Channel.EMAIL, "mail"),
    ]
    await after.aclose()
