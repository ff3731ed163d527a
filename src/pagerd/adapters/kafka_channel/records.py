"""A message as a record: plain JSON, or a CloudEvent 1.0 (Kafka protocol binding); pure.

In a CloudEvent the template's header ``ce_type`` stands for the type, and any other ``ce_NAME`` for an attribute of
that name; what identifies the event (``id``, ``source``, ``specversion``) is never a template's to say.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pagerd.adapters.kafka_channel.settings import KafkaSettings
from pagerd.core.messages import Message

ID_HEADER: Final = "pager-id"
"""Carries the recipient's id, the same in every attempt: by it a reader knows a record that came twice."""
_ATTRIBUTE: Final = re.compile(r"ce_(?P<name>[a-z0-9]{1,20})")
_FIXED: Final = frozenset({"id", "source", "specversion", "datacontenttype", "data"})
_JSON: Final = "application/json"

Headers = list[tuple[str, str | bytes | None]]


class Parcel(msgspec.Struct, frozen=True):
    """A record: its key (none: the brokers' clients spread it), value and headers."""

    key: bytes | None
    value: bytes
    headers: Headers


def record_of(message: Message, settings: KafkaSettings) -> Parcel:
    """Return the record of a message in the format of the settings."""
    key = message.to if message.partition_key is None else message.partition_key
    bare, attributes = _attributes(message, settings)
    if settings.format == "json":
        headers = {ID_HEADER: message.key, "content-type": _JSON, **dict(message.headers)}
        value = message.body
    elif settings.format == "cloudevents-binary":
        headers = {"content-type": _JSON, **{f"ce_{name}": text for name, text in attributes.items()}, **bare}
        value = message.body
    else:
        headers = {"content-type": "application/cloudevents+json; charset=UTF-8", **bare}
        event = {**attributes, "datacontenttype": _JSON, "data": msgspec.Raw(message.body)}
        value = msgspec.json.encode(event)
    return Parcel(key.encode() or None, value, [(name, text.encode()) for name, text in headers.items()])


def _attributes(message: Message, settings: KafkaSettings) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers that are the record's own, and the attributes of the event."""
    attributes = {
        "specversion": "1.0",
        "id": message.key,
        "source": settings.source,
        "type": settings.type,
        "subject": message.to,
    }
    bare: dict[str, str] = {}
    for name, text in message.headers:
        attribute = _ATTRIBUTE.fullmatch(name)
        if attribute is None:
            bare[name] = text
        elif attribute["name"] not in _FIXED:
            attributes[attribute["name"]] = text
    return bare, attributes
