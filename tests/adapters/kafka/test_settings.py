"""The setting ``queue`` as a URL: what it may say, and what every mistake is answered with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pagerd.adapters.kafka.library import asserted, consuming, producing
from pagerd.adapters.kafka.settings import KafkaSettings, parsed
from pagerd.core.errors import Broken, Misconfigured
from pagerd.core.policy import Priority


def secret(value: str, name: str) -> str:
    assert name == "queue: password"
    return f"what {value} says"


def test_everything_that_it_may_say(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    got = parsed(
        f"kafka://one:9092,two:9093?prefix=shop&partitions=6&replication=3&security=sasl_ssl&mechanism=SCRAM-SHA-512"
        f"&username=pagerd&password=env:KAFKA&ca={ca}",
        secret,
    )
    assert (got.servers, got.prefix, got.partitions, got.replication) == ("one:9092,two:9093", "shop", 6, 3)
    assert (got.security, got.mechanism, got.username, got.ca) == ("sasl_ssl", "SCRAM-SHA-512", "pagerd", str(ca))
    assert got.password is not None
    assert got.password.reveal() == "what env:KAFKA says"
    assert (got.topic(Priority.URGENT), got.topic(Priority.BULK)) == ("shop.urgent", "shop.bulk")
    assert got.group == "shop.workers"


def test_the_least_that_it_must_say() -> None:
    got = parsed("kafka://[::1]:9092", secret)
    assert got == KafkaSettings(servers="[::1]:9092")
    assert got.topic(Priority.BULK) == "pagerd.bulk"


def test_a_password_is_in_no_words() -> None:
    got = parsed("kafka://h:1?security=sasl_ssl&username=u&password=env:P", secret)
    assert "what" not in f"{got!r} {got} {got.password} {msgspec.structs.asdict(got)}"
    assert consuming(got, print, 100)["sasl.password"] == "what env:P says"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("kafka://", "a server ''"),
        ("kafka://host", "a server 'host'"),
        ("kafka://host:9092,", "a server ''"),
        ("kafka://host:9092/topic", "the address"),
        ("kafka://user:hunter2@host:9092", "the address"),
        ("redis://host:9092", "the address 'redis'"),
        ("kafka://h:1?partition=3", "'partition'"),
        ("kafka://h:1?servers=3", "'servers'"),
        ("kafka://h:1?partitions=many", "partitions 'many'"),
        ("kafka://h:1?partitions=0", "partitions '0'"),
        ("kafka://h:1?replication=-1", "replication '-1'"),
        ("kafka://h:1?prefix=a/b", "prefix 'a/b'"),
        ("kafka://h:1?prefix=", "prefix ''"),
        ("kafka://h:1?security=tls", "security 'tls'"),
        ("kafka://h:1?security=sasl_ssl", "security 'sasl_ssl'"),
        ("kafka://h:1?username=u&password=env:P", "security 'plaintext'"),
        ("kafka://h:1?security=sasl_ssl&username=u&password=hunter2", "password '…'"),
        ("kafka://h:1?mechanism=GSSAPI", "mechanism 'GSSAPI'"),
        ("kafka://h:1?ca=/nowhere/ca.pem", "ca '/nowhere/ca.pem'"),
    ],
)
def test_every_mistake_is_named_with_its_value_and_a_remedy(url: str, words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parsed(url, secret)
    assert words in caught.value.detail
    assert caught.value.detail.startswith("queue: ")
    assert caught.value.remedy
    assert "hunter2" not in caught.value.detail + caught.value.remedy


def test_a_consumer_never_commits_by_itself() -> None:
    made = consuming(KafkaSettings(servers="h:1"), print, 100)
    assert made["enable.auto.commit"] is False
    assert made["enable.auto.offset.store"] is False
    for name in ("enable.auto.commit", "enable.auto.offset.store"):
        for wrong in (True, "false", None):
            with pytest.raises(Broken, match=name):
                asserted(made | {name: wrong})
        without: dict[str, Any] = {key: value for key, value in made.items() if key != name}
        with pytest.raises(Broken, match=name):
            asserted(without)


def test_a_producer_waits_for_all_replicas() -> None:
    made = producing(KafkaSettings(servers="h:1"), print, 100)
    assert (made["acks"], made["enable.idempotence"]) == ("all", True)
