"""What Kafka's errors mean, by table."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pagerd.adapters.kafka.library import library
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.errors import Misconfigured, PagerError, Unavailable


class Meaning(NamedTuple):
    """What only a person can mend: the part of the setting that is concerned, what is wrong, what to do."""

    setting: str
    words: str
    remedy: str


_PERSONS: Final[dict[str, Meaning]] = {
    "_AUTHENTICATION": Meaning("username", "the broker refused the login", "Check username, password and mechanism."),
    "SASL_AUTHENTICATION_FAILED": Meaning("username", "the broker refused the login", "Check username and password."),
    "UNSUPPORTED_SASL_MECHANISM": Meaning("mechanism", "the broker does not know it", "Ask for one that it offers."),
    "_SSL": Meaning("ca", "TLS failed", "ca must have signed the broker's certificate, and its name be the server's."),
    "TOPIC_AUTHORIZATION_FAILED": Meaning(
        "username", "a right to the topics is missing", "Grant READ, WRITE and DESCRIBE on the topics of the prefix."
    ),
    "GROUP_AUTHORIZATION_FAILED": Meaning(
        "username", "a right to the consumer group is missing", "Grant READ on the group <prefix>.workers."
    ),
    "CLUSTER_AUTHORIZATION_FAILED": Meaning(
        "username", "a right to the cluster is missing", "Grant IDEMPOTENT_WRITE, or create the topics yourself."
    ),
    "INVALID_REPLICATION_FACTOR": Meaning(
        "replication", "there are fewer brokers", "Lower it, or add brokers to the cluster."
    ),
    "INVALID_PARTITIONS": Meaning("partitions", "the broker refuses that many", "Lower it."),
    "UNKNOWN_TOPIC_OR_PART": Meaning("prefix", "a topic is missing", "Start again: the topics are created then."),
    "UNSUPPORTED_VERSION": Meaning("servers", "the broker is too old", "Use Apache Kafka 4.0 or newer."),
    "_UNSUPPORTED_FEATURE": Meaning("servers", "the broker is too old", "Use Apache Kafka 4.0 or newer."),
}
REFUSED: Final = ("MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "POLICY_VIOLATION", "INVALID_MSG")
"""The broker does not take this one record, whenever it is asked."""


def word(error: Any) -> str:
    """Return a KafkaError's name."""
    return str(error.name())


def names_of(*words: str) -> frozenset[int]:
    """Return the numbers of errors by their names."""
    kinds = library().KafkaError
    return frozenset(getattr(kinds, name) for name in words)


def translated(error: Any, settings: KafkaSettings) -> PagerError:
    """Return Pager's error for a KafkaError; what is not a person's to mend is :class:`Unavailable`."""
    kinds = library().KafkaError
    for name, meaning in _PERSONS.items():
        if error.code() == getattr(kinds, name):
            value = getattr(settings, meaning.setting)
            detail = f"queue: {meaning.setting}={value}: {meaning.words} ({settings.servers})"
            return Misconfigured(detail, code="queue_refused", remedy=meaning.remedy)
    return Unavailable(f"the queue at {settings.servers} can't be reached ({word(error)})", code="queue_away")
