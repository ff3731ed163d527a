"""The topics: made, checked, and every reason why they can't be used said with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pagerd.adapters.kafka.settings import KafkaSettings, Secret
from pagerd.adapters.kafka.topics import Topics, examined
from pagerd.core.errors import Misconfigured, Unavailable

PASSWORD = "correct horse"


def admin(servers: str) -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": servers})


def create(servers: str, name: str, partitions: int = 4, **config: str) -> None:
    from confluent_kafka.cimpl import NewTopic

    wanted = [NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})]
    client = admin(servers)
    for future in client.create_topics(wanted).values():
        future.result()


def partitions_of(servers: str, name: str) -> int:
    return len(admin(servers).list_topics(name, timeout=10).topics[name].partitions)


def test_they_are_created_once(settings: KafkaSettings) -> None:
    assert Topics(settings).ready() == 1_048_588
    assert Topics(settings).ready() == 1_048_588
    Topics(settings).check()
    for name in ("urgent", "bulk"):
        assert partitions_of(settings.servers, f"{settings.prefix}.{name}") == 4


async def test_a_look_changes_nothing(settings: KafkaSettings) -> None:
    assert await examined(settings) == (
        f"{settings.servers}: {settings.prefix}.urgent is made at the first start, "
        f"{settings.prefix}.bulk is made at the first start"
    )
    create(settings.servers, f"{settings.prefix}.bulk", 5)
    assert f"{settings.prefix}.bulk has 5 partitions" in await examined(settings)


def test_what_an_operator_made_larger_is_left_alone(settings: KafkaSettings) -> None:
    create(settings.servers, f"{settings.prefix}.bulk", 7)
    Topics(settings).ready()
    assert partitions_of(settings.servers, f"{settings.prefix}.bulk") == 7


def refused(settings: KafkaSettings, verb: str = "ready") -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        getattr(Topics(settings), verb)()
    assert caught.value.detail.startswith("queue: ")
    assert caught.value.remedy
    assert PASSWORD not in caught.value.detail + caught.value.remedy
    return caught.value


def test_too_few_partitions(settings: KafkaSettings) -> None:
    create(settings.servers, f"{settings.prefix}.bulk", 3)
    error = refused(settings)
    assert f"{settings.prefix}.bulk has 3 partitions" in error.detail
    assert "partitions=4" in error.detail


def test_records_that_are_too_small(settings: KafkaSettings) -> None:
    create(settings.servers, f"{settings.prefix}.urgent", max_message_bytes="20000")
    error = refused(settings)
    assert "20000 bytes" in error.detail
    assert "max.message.bytes" in error.detail


def test_a_smaller_limit_than_the_broker_s_own_is_known(settings: KafkaSettings) -> None:
    create(settings.servers, f"{settings.prefix}.urgent", max_message_bytes="100000")
    assert Topics(settings).ready() == 100_000


def test_more_replicas_than_brokers(settings: KafkaSettings) -> None:
    error = refused(msgspec.structs.replace(settings, replication=3))
    assert "replication=3" in error.detail


def test_a_topic_that_went_missing(settings: KafkaSettings) -> None:
    error = refused(settings, "check")
    assert f"{settings.prefix}.urgent is missing" in error.detail


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from pagerd.adapters.kafka import topics

    monkeypatch.setattr(topics, "_PATIENCE", 0.5)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 can't be reached"):
        Topics(KafkaSettings(servers="127.0.0.1:1")).ready()


def test_logins_certificates_and_rights(
    private_kafka: Callable[..., Any],
    make_certificate: Callable[..., Any],
) -> None:
    """One broker with SASL, TLS and an authorizer; each thing that can be wrong with it is."""
    certificate = make_certificate()
    server = private_kafka(
        users={"admin": PASSWORD, "nobody": PASSWORD},
        tls=certificate,
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
        },
    )
    right = KafkaSettings(
        servers=server.servers,
        security="sasl_ssl",
        username="admin",
        password=Secret(PASSWORD),
        ca=str(certificate.chain),
    )
    change = msgspec.structs.replace
    error = refused(change(right, password=Secret(PASSWORD + "!")))
    assert "username=admin: the broker refused the login" in error.detail
    other = make_certificate("DNS:other.example")
    assert "ca=" in refused(change(right, ca=str(other.chain))).detail
    error = refused(change(right, mechanism="SCRAM-SHA-256"))
    assert "mechanism" in error.detail + error.remedy
    error = refused(change(right, username="nobody"))
    assert "username=nobody may not create it" in error.detail
    assert "kafka-topics.sh --create --topic pagerd." in error.remedy
    assert Topics(right).ready() == 1_048_588
    error = refused(change(right, username="nobody"))
    assert "username=nobody" in error.detail


def test_a_certificate_for_another_name(
    private_kafka: Callable[..., Any], make_certificate: Callable[..., Any]
) -> None:
    certificate = make_certificate("DNS:other.example")
    server = private_kafka(tls=certificate)
    error = refused(KafkaSettings(servers=server.servers, security="ssl", ca=str(certificate.chain)))
    assert "TLS failed" in error.detail
    assert "its name be the server's" in error.remedy
