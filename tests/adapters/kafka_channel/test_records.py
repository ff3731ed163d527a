"""A message as a record, in each format."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.kafka_channel import codes
from pagerd.adapters.kafka_channel.kind import KIND
from pagerd.adapters.kafka_channel.records import record_of
from pagerd.adapters.kafka_channel.settings import KafkaSettings
from pagerd.core.errors import Misconfigured
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass

HEADERS = (("trace", "ü"), ("ce_type", "shop.shipped"), ("ce_id", "forged"), ("ce_source", "forged"))


def message(**fields: Any) -> Message:
    given = {"place": 0, "to": "customer 17", "sender": "", "key": "rcp_1", "body": b'{"n":  1}', "headers": HEADERS}
    return Message(**(given | fields))


def settings(form: str, **fields: Any) -> KafkaSettings:
    return msgspec.convert({"servers": "127.0.0.1:9092", "topic": "t", "format": form} | fields, KafkaSettings)


def test_plain_json_is_the_templates_own() -> None:
    made = record_of(message(), settings("json"))
    assert (made.key, made.value) == (b"customer 17", b'{"n":  1}')
    assert dict(made.headers) == {
        "pager-id": b"rcp_1",
        "content-type": b"application/json",
        **{name: text.encode() for name, text in HEADERS},
    }


def test_a_binary_cloudevent_has_its_attributes_as_headers() -> None:
    made = record_of(message(), settings("cloudevents-binary", source="/shop"))
    assert made.value == b'{"n":  1}'
    assert dict(made.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"rcp_1",
        "ce_source": b"/shop",
        "ce_type": b"shop.shipped",
        "ce_subject": b"customer 17",
        "trace": "ü".encode(),
    }


def test_a_structured_cloudevent_holds_everything() -> None:
    made = record_of(message(), settings("cloudevents-structured", type="shop.told"))
    assert dict(made.headers) == {
        "content-type": b"application/cloudevents+json; charset=UTF-8",
        "trace": "ü".encode(),
    }
    assert msgspec.json.decode(made.value) == {
        "specversion": "1.0",
        "id": "rcp_1",
        "source": "pager",
        "type": "shop.shipped",
        "subject": "customer 17",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }


@pytest.mark.parametrize(("key", "written"), [(None, b"customer 17"), ("é", "é".encode()), ("", None)])
def test_the_key(key: str | None, written: bytes | None) -> None:
    assert record_of(message(partition_key=key), settings("json")).key == written


@pytest.mark.parametrize(("name", "kind"), codes.CODES.items())
def test_every_code_of_a_report(name: str, kind: FailureClass) -> None:
    from confluent_kafka import KafkaError

    assert KafkaError(getattr(KafkaError, name)).name() == name
    assert codes.after(name) is kind


def test_what_nobody_knows_is_a_doubt_after_and_none_before() -> None:
    assert codes.after("SURPRISE") is FailureClass.IN_DOUBT
    assert codes.before("SURPRISE") is FailureClass.TRANSIENT
    assert codes.before("_TRANSPORT") is FailureClass.TRANSIENT
    assert codes.after("_TRANSPORT") is FailureClass.IN_DOUBT


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"servers": "broker"}, "host:port"),
        ({"servers": "broker:0"}, "host:port"),
        ({"servers": "a:9092, b"}, "host:port"),
        ({"topic": "a b"}, "topic"),
        ({"format": "avro"}, "format"),
        ({"servers": "kafka.example.com:9092", "user": "me"}, "clear"),
        ({"verify": False}, "tls"),
        ({"unanswered": 0}, "unanswered"),
        ({"topics": "x"}, "topics"),
    ],
)
def test_wrong_settings_are_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        settings("json", **fields) if "format" not in fields else settings(fields["format"])


def test_a_user_needs_a_password_and_a_host_tells_where_it_is() -> None:
    with pytest.raises(Misconfigured) as missing:
        KIND.open("records", settings("json", user="me"), None)
    assert missing.value.code == "credential_missing"
    assert KIND.loopback_only(settings("json", servers="localhost:1,[::1]:2"))
    assert not KIND.loopback_only(settings("json", servers="localhost:1,10.0.0.1:2"))
