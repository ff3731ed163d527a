"""Records on a real broker: what arrives, and what each refusal becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from tests.adapters.kafka_channel.broker import make_topic, records

from pagerd.adapters.kafka_channel.provider import KafkaProvider
from pagerd.adapters.kafka_channel.settings import KafkaSettings
from pagerd.core.errors import Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass

F = FailureClass
Opened = Callable[..., KafkaProvider]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """``opened(servers, topic, credential=…, **settings)`` is a provider that is closed in the end."""
    made: list[KafkaProvider] = []

    def make(servers: str, topic: str, *, credential: str | None = None, **fields: Any) -> KafkaProvider:
        given = {"servers": servers, "topic": topic, "connect_timeout": 5.0, "answer_timeout": 20.0} | fields
        made.append(KafkaProvider("records", msgspec.convert(given, KafkaSettings), credential))
        return made[-1]

    yield make
    await asyncio.gather(*(provider.aclose() for provider in made))


def standing() -> bool:
    return True


def message(place: int = 0, body: bytes = b"{}", **fields: Any) -> Message:
    return Message(place=place, to=f"p{place}", sender="", key=f"rcp_{place}", body=body, **fields)


async def test_a_record_arrives_whole(kafka_servers: str, unique: Any, opened: Opened) -> None:
    topic = unique("told")
    make_topic(kafka_servers, topic, partitions=3)
    provider = opened(kafka_servers, topic, format="cloudevents-binary")
    await provider.ping()
    sent = [message(n, b'{"n":%d}' % n, headers=(("trace", "t"),)) for n in range(50)]
    said = await provider.send(sent, standing)
    assert {outcome.kind for outcome in said} == {F.OK}
    found = await asyncio.to_thread(records, kafka_servers, topic, 3)
    places = {f"{topic}/{record.partition()}/{record.offset()}": record for record in found}
    assert len(found) == 50
    for outcome, each in zip(said, sent, strict=True):
        record = places[outcome.reference]
        assert (record.key(), record.value()) == (each.to.encode(), each.body)
        assert ("ce_id", each.key.encode()) in record.headers()
        assert ("trace", b"t") in record.headers()


async def test_what_the_broker_finds_too_large(kafka_servers: str, unique: Any, opened: Opened) -> None:
    topic = unique("small")
    make_topic(kafka_servers, topic, **{"max.message.bytes": "2000"})
    provider = opened(kafka_servers, topic, unanswered=1)
    said = await provider.send([message(0), message(1, b'"' + b"x" * 3000 + b'"'), message(2)], standing)
    assert [(o.kind, o.code) for o in said[1:2]] == [(F.PERMANENT_CONTENT, "too_large")]
    assert [said[0].kind, said[2].kind] == [F.OK, F.OK]


async def test_a_topic_that_is_not_there(kafka_servers: str, unique: Any, opened: Opened) -> None:
    provider = opened(kafka_servers, unique("nowhere"))
    (said,) = await provider.send([message()], standing)
    assert (said.kind, said.code) == (F.PROVIDER_CONFIG, "topic_unknown")
    with pytest.raises(Unavailable, match="topic_unknown"):
        await provider.ping()


async def test_password_and_right(private_kafka: Any, opened: Opened) -> None:
    broker = private_kafka(
        users={"shop": "secret", "guest": "secret"},
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:shop",
        },
    )
    make_topic(broker.inner_servers, "told")
    words = {"mechanism": "PLAIN", "connect_timeout": 3.0}
    right = opened(broker.servers, "told", user="shop", credential="secret", **words)
    assert [o.kind for o in await right.send([message()], standing)] == [F.OK]
    wrong = opened(broker.servers, "told", user="shop", credential="guess", **words)
    assert [(o.kind, o.code) for o in await wrong.send([message()], standing)] == [(F.PROVIDER_CONFIG, "auth_failed")]
    guest = opened(broker.servers, "told", user="guest", credential="secret", **words)
    (said,) = await guest.send([message()], standing)
    assert said.kind is F.PROVIDER_CONFIG
    (again,) = await guest.send([message()], standing)
    assert again.kind is F.PROVIDER_CONFIG
    assert len(await asyncio.to_thread(records, broker.inner_servers, "told")) == 1


async def test_tls_is_verified(private_kafka: Any, make_certificate: Any, opened: Opened) -> None:
    ours, other = make_certificate(), make_certificate("DNS:other.example")
    broker = private_kafka(tls=ours)
    make_topic(broker.inner_servers, "told")
    right = opened(broker.servers, "told", tls=True, ca_file=str(ours.chain))
    assert [o.kind for o in await right.send([message()], standing)] == [F.OK]
    wrong = opened(broker.servers, "told", tls=True, ca_file=str(other.chain), connect_timeout=3.0)
    assert [(o.kind, o.code) for o in await wrong.send([message()], standing)] == [(F.PROVIDER_CONFIG, "tls_failed")]


async def test_a_broker_on_this_machine_leads_nowhere_else(private: Any, unique: Any, opened: Opened) -> None:
    from tools.servers.kafka import KafkaServer

    class Abroad(KafkaServer):
        def _properties(self) -> Any:
            self.settings = {"advertised.listeners": f"CLIENTS://192.0.2.1:9092,INTERNAL://{self.inner_servers}"}
            return super()._properties()

    broker = private(Abroad)
    make_topic(broker.inner_servers, "told")
    (said,) = await opened(broker.servers, "told").send([message()], standing)
    assert (said.kind, said.code) == (F.PROVIDER_CONFIG, "not_loopback")
    assert "192.0.2.1" in said.text
