"""The client library, loaded where Kafka is used, and what it is always told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.errors import Broken, Misconfigured

Configuration = dict[str, Any]
LARGEST: Final = 1_048_588
"""Bytes that a broker takes where nobody has told it otherwise (message.max.bytes)."""


def library() -> ModuleType:
    """Return the client library; raise :class:`Misconfigured` where it is not installed."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise Misconfigured(
            "queue: Kafka needs a library that is not installed",
            code="extra_missing",
            remedy="pip install 'pagerd[kafka]'",
        ) from error
    return confluent_kafka


def common(settings: KafkaSettings, told: Callable[[Any], None]) -> Configuration:
    """Return what every client is told; ``told`` hears of the connection's errors, on a foreign thread."""
    found: Configuration = {
        "bootstrap.servers": settings.servers,
        "client.id": "pagerd",
        "security.protocol": settings.security,
        "reconnect.backoff.max.ms": 2_000,
        "socket.connection.setup.timeout.ms": 10_000,
        "error_cb": told,
        "logger": logging.getLogger("pagerd.kafka.client"),
        "log_level": 2,  # what matters comes by error_cb, and is said once
    }
    if settings.security.startswith("sasl") and settings.password is not None:
        found |= {"sasl.mechanism": settings.mechanism, "sasl.username": settings.username}
        found["sasl.password"] = settings.password.reveal()
    for name, path in (
        ("ssl.ca.location", settings.ca),
        ("ssl.certificate.location", settings.certificate),
        ("ssl.key.location", settings.key),
    ):
        if path:
            found[name] = path
    return found


def producing(settings: KafkaSettings, told: Callable[[Any], None], largest: int) -> Configuration:
    """Return a producer's configuration: nothing is taken for written before all replicas have it, and in order."""
    return common(settings, told) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        "sticky.partitioning.linger.ms": 0,  # else a whole group goes to one partition, and so to one worker
        "message.max.bytes": largest,
        "message.timeout.ms": 10_000,
        "compression.type": "none",  # what is sealed does not get smaller
    }


def consuming(settings: KafkaSettings, told: Callable[[Any], None], largest: int) -> Configuration:
    """Return a consumer's configuration: an offset is committed by us alone, after its batch is settled."""
    return asserted(
        common(settings, told)
        | {
            "group.id": settings.group,
            "group.protocol": "consumer",
            "group.remote.assignor": "range",  # each topic is shared out by itself: no worker gets all of the bulk
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            "fetch.message.max.bytes": largest,
            "fetch.queue.backoff.ms": 50,
            "queued.min.messages": 1_000,
            "queued.max.messages.kbytes": 16_384,
        }
    )


def asserted(configuration: Configuration) -> Configuration:
    """Return it; raise :class:`Broken` where the client would commit by itself: a batch not settled would be lost."""
    for name in ("enable.auto.commit", "enable.auto.offset.store"):
        if configuration.get(name) is not False:
            raise Broken(f"queue: {name} must be off", code="queue_would_forget")
    return configuration
