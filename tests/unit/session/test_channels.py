"""Short messages and records, from the request to what a provider is handed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.provider import MemoryProvider
from pagerd.audience.channels import known_as
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel
from pagerd.core.requests import ProviderDraft, SessionRequest
from pagerd.core.templates import TemplateDraft
from pagerd.ledger.accounts import Accounts
from pagerd.ports.provider import ProviderKind
from pagerd.route.providers import Providers

SMS = {"channel": "sms", "text": "Hello {{ name }}\n"}
RECORD = {
    "channel": "kafka",
    "json": '{"name": {{ name }}, "from": "shop"}',
    "key": "{{ name }}",
    "headers": {"trace": "t-{{ name }}"},
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a double of a channel is told."""

    sender: str | None = msgspec.field(default=None, name="from")
    default_region: str | None = None


@pytest.fixture
async def carriers(river: Any) -> dict[Channel, MemoryProvider]:
    """A provider for each channel beside e-mail, in the river's place; SMS are dialled in Austria."""
    made: dict[Channel, MemoryProvider] = {}

    def kind(channel: Channel) -> ProviderKind:
        def opened(name: str, settings: Settings, credential: str | None) -> MemoryProvider:
            made[channel] = MemoryProvider(river.clock, name=name, channel=channel)
            return made[channel]

        return ProviderKind(
            name=channel.value, channel=channel, settings=Settings, open=opened, loopback_only=lambda _: True
        )

    kinds = {channel.value: kind(channel) for channel in (Channel.SMS, Channel.KAFKA)} | {"memory": river.kind}
    await river.providers.aclose()
    river.providers = Providers(river.store, river.seal, river.clock, river.chance, kinds, loopback_only=True)
    river.rooms()
    sms = ProviderDraft(kind="sms", settings={"default_region": "AT"}, sender="+12025550100")
    await river.providers.load(
        1, {"text": sms, "records": ProviderDraft(kind="kafka"), "mail": ProviderDraft(kind="memory")}
    )
    river.accounts = Accounts(river.store, river.seal, river.book, river.clock, known_as)
    return made


async def publish(river: Any, *variants: dict[str, Any], **fields: Any) -> None:
    draft = {"variants": list(variants)} | fields
    await river.templates.save(1, "hello", msgspec.convert(draft, TemplateDraft))
    await river.templates.publish(1, "hello")


def person(to: Any, name: str = "Ada") -> dict[str, Any]:
    return {"to": to, "data": {"name": name}}


async def refused(river: Any, people: list[Any], **fields: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(Invalid) as caught:
        await river.admit(people, **fields)
    return [(fault.code, fault.pointer) for fault in caught.value.faults]


async def test_a_short_message_reaches_its_number(river: Any, carriers: Any) -> None:
    await publish(river, SMS)
    session = await river.admit([person("+43 660 1234567"), person("0660 7654321"), person({"phone": "+12025550123"})])
    await river.work()
    assert await river.states(session) == ["accepted"] * 3
    sent = carriers[Channel.SMS].arrived
    assert sorted(message.to for message in sent) == ["+12025550123", "+436601234567", "+436607654321"]
    assert {message.sender for message in sent} == {"+12025550100"}
    assert {message.body for message in sent} == {b"Hello Ada"}
    assert {message.key.startswith("rcp_") for message in sent} == {True}
    assert len({message.key for message in sent}) == 3


async def test_all_spellings_of_a_number_are_one_person(river: Any, carriers: Any) -> None:
    await publish(river, SMS)
    session = await river.admit([person("+436601234567"), person("0660/123 45 67"), person("+43 (660) 1234567")])
    await river.work()
    assert await river.states(session) == ["accepted", "duplicate", "duplicate"]
    found = await river.accounts.search((await _asker()), "+43 660 123-4567", session=None, since=None)
    assert len(found) == 3


async def _asker() -> Any:
    from pagerd.core.requests import Asker

    return Asker(workspace=1, key=b"k" * 16, sees_addresses=True)


async def test_uploads_know_the_region_and_find_duplicates_too(river: Any, carriers: Any) -> None:
    await publish(river, SMS)
    session = await river.admit(None)
    await river.put(session, 1, "phone,name\n+436601234567,Ada\n0660 1234567,Ada\n0660 1111111,Eve\n")
    await river.uploads.start(await _asker(), session, parts=1, recipients=3)
    await river.work()
    assert await river.states(session) == ["accepted", "duplicate", "accepted"]


async def test_wrong_numbers_are_told_with_their_lines(river: Any, carriers: Any) -> None:
    await publish(river, SMS)
    session = await river.admit(None)
    with pytest.raises(Invalid) as caught:
        await river.put(session, 1, "name,phone\nAda,+436601234567\nBob,+43123456789012345\nEve,ring me\n")
    assert [(f.code, f.line, f.column) for f in caught.value.faults] == [
        ("address_invalid", 3, 5),
        ("address_invalid", 4, 5),
    ]
    assert await refused(river, [person("+43"), person("+12025550123"), person("eve@example.com")]) == [
        ("address_invalid", "/audience/recipients/0/to"),
        ("address_invalid", "/audience/recipients/2/to"),
    ]


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"sender": "Shop <hi@shop.example>"}, [("sender_invalid", "/from")]),
        ({"sender": "A name too long"}, [("sender_invalid", "/from")]),
        ({"reply_to": "hi@shop.example"}, [("not_for_channel", "/reply_to")]),
        ({"channel": Channel.EMAIL}, [("variant_missing", "/channel")]),
    ],
)
async def test_what_a_short_message_can_not_have(river: Any, carriers: Any, fields: Any, faults: Any) -> None:
    await publish(river, SMS)
    assert await refused(river, [person("+12025550123")], **fields) == faults


@pytest.mark.parametrize("sender", ["+436601234567", "12345", "Shop & Co", "MG" + "0" * 32])
async def test_who_can_send_a_short_message(river: Any, carriers: Any, sender: str) -> None:
    await publish(river, SMS)
    await river.admit([person("+12025550123")], sender=sender)
    await river.work()
    assert [message.sender for message in carriers[Channel.SMS].arrived] == [sender]


async def test_a_templates_mail_sender_is_not_that_of_its_texts(river: Any, carriers: Any) -> None:
    mail = {"channel": "email", "subject": "Hi", "text": "Hello {{ name }}"}
    await publish(river, mail, SMS, **{"from": "Shop <hi@shop.example>", "reply_to": "hi@shop.example"})
    await river.admit([person("+12025550123")], channel=Channel.SMS)
    await river.work()
    assert [message.sender for message in carriers[Channel.SMS].arrived] == ["+12025550100"]


async def test_a_missing_variable_stops_the_batch_before_it_costs(river: Any, carriers: Any) -> None:
    await publish(river, SMS | {"text": "{{ order.total }}"}, variables=[{"name": "order", "required": True}])
    recipients = [
        {"to": "+12025550123", "data": {"order": {"total": 1}}},
        {"to": "+12025550124", "data": {"order": {}}},
    ]
    session = await river.admit(recipients)
    await river.work()
    people = await river.people(session)
    assert [one.state for one in people] == ["rejected", "rejected"]
    assert people[1].reason.code == "undefined_variable"
    assert carriers[Channel.SMS].arrived == []


async def test_a_record_reaches_the_topic(river: Any, carriers: Any) -> None:
    await publish(river, RECORD)
    session = await river.admit([person("customer 17", 'A"da')])
    await river.work()
    assert await river.states(session) == ["accepted"]
    (record,) = carriers[Channel.KAFKA].arrived
    assert (record.to, record.sender, record.partition_key) == ("customer 17", "", 'A"da')
    assert msgspec.json.decode(record.body) == {"name": 'A"da', "from": "shop"}
    assert record.headers == (("trace", 't-A"da'),)


async def test_a_record_is_about_one_person_once(river: Any, carriers: Any) -> None:
    await publish(river, RECORD)
    people = ["Ada@example.com", "ada@example.com", "17", "17 ", "+43 660 1234567", "+436601234567"]
    session = await river.admit([person(to) for to in people])
    await river.work()
    assert await river.states(session) == ["accepted", "duplicate", "accepted", "accepted", "accepted", "duplicate"]


@pytest.mark.parametrize("to", ["", " ", "x" * 256, "a\nb"])
async def test_whom_a_record_can_not_be_about(river: Any, carriers: Any, to: str) -> None:
    await publish(river, RECORD)
    assert await refused(river, [person(to)]) == [("address_invalid", "/audience/recipients/0/to")]


async def test_a_record_has_no_sender(river: Any, carriers: Any) -> None:
    await publish(river, RECORD)
    faults = await refused(river, [person("17")], sender="shop@example.com", reply_to="hi@example.com")
    assert faults == [("not_for_channel", "/from"), ("not_for_channel", "/reply_to")]


async def test_a_check_shows_what_each_channel_would_say(river: Any, carriers: Any) -> None:
    await publish(river, SMS, RECORD)
    asker = await _asker()
    for channel, to, words in (
        (Channel.SMS, "+12025550123", {"text": "Hello Zoë€", "encoding": "UCS-2", "segments": 1}),
        (Channel.KAFKA, "17", {"key": "Zoë€", "headers": {"trace": "t-Zoë€"}}),
    ):
        request = SessionRequest(template="hello", recipients=[person(to, "Zoë€")], channel=channel)
        shown = await river.admission.check(asker, request)
        assert shown.errors == []
        assert shown.rendered[0].items() >= words.items()


async def test_messages_take_every_channel(river: Any, carriers: Any) -> None:
    await publish(river, SMS, RECORD)
    await river.message("0660 1234567", channel=Channel.SMS)
    await river.message("17", channel=Channel.KAFKA)
    await river.work()
    assert [m.to for m in carriers[Channel.SMS].arrived] == ["+436601234567"]
    assert [m.to for m in carriers[Channel.KAFKA].arrived] == ["17"]
