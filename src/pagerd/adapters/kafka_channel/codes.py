"""What a broker's answer, or the library's, means for the record: the map is data, by the protocol's error names.

A name that begins with ``_`` is the library's own. Once a record was handed to the library it may have left, so that
whatever is not surely a refusal is a doubt.
"""

from __future__ import annotations

from typing import Final

from pagerd.core.outcomes import FailureClass

_CONTENT: Final = FailureClass.PERMANENT_CONTENT
_CONFIG: Final = FailureClass.PROVIDER_CONFIG
_TRANSIENT: Final = FailureClass.TRANSIENT
_THROTTLED: Final = FailureClass.THROTTLED
_DOUBT: Final = FailureClass.IN_DOUBT
_NOT_SENT: Final = FailureClass.NOT_SENT

CODES: Final[dict[str, FailureClass]] = {
    # about the record
    "MSG_SIZE_TOO_LARGE": _CONTENT,
    "RECORD_LIST_TOO_LARGE": _CONTENT,
    "INVALID_MSG": _CONTENT,
    "INVALID_MSG_SIZE": _CONTENT,
    "INVALID_RECORD": _CONTENT,
    # about us
    "TOPIC_AUTHORIZATION_FAILED": _CONFIG,
    "CLUSTER_AUTHORIZATION_FAILED": _CONFIG,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": _CONFIG,
    "SASL_AUTHENTICATION_FAILED": _CONFIG,
    "UNSUPPORTED_SASL_MECHANISM": _CONFIG,
    "SECURITY_DISABLED": _CONFIG,
    "UNKNOWN_TOPIC_OR_PART": _CONFIG,
    "TOPIC_EXCEPTION": _CONFIG,
    "POLICY_VIOLATION": _CONFIG,
    "UNSUPPORTED_FOR_MESSAGE_FORMAT": _CONFIG,
    "INVALID_REQUIRED_ACKS": _CONFIG,
    "_AUTHENTICATION": _CONFIG,
    "_SSL": _CONFIG,
    "_UNKNOWN_TOPIC": _CONFIG,
    "_UNKNOWN_PARTITION": _CONFIG,
    # later: the broker says that it wrote nothing
    "LEADER_NOT_AVAILABLE": _TRANSIENT,
    "NOT_LEADER_FOR_PARTITION": _TRANSIENT,
    "BROKER_NOT_AVAILABLE": _TRANSIENT,
    "REPLICA_NOT_AVAILABLE": _TRANSIENT,
    "NOT_ENOUGH_REPLICAS": _TRANSIENT,
    "KAFKA_STORAGE_ERROR": _TRANSIENT,
    # slower
    "THROTTLING_QUOTA_EXCEEDED": _THROTTLED,
    "_QUEUE_FULL": _THROTTLED,
    # it may have left
    "_MSG_TIMED_OUT": _DOUBT,
    "_TRANSPORT": _DOUBT,
    "_TIMED_OUT": _DOUBT,
    "_PURGE_INFLIGHT": _DOUBT,
    "REQUEST_TIMED_OUT": _DOUBT,
    "NETWORK_EXCEPTION": _DOUBT,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": _DOUBT,
    "OUT_OF_ORDER_SEQUENCE_NUMBER": _DOUBT,
}

BEFORE: Final[dict[str, FailureClass]] = {
    # before anything was handed over
    "_TRANSPORT": _TRANSIENT,
    "_TIMED_OUT": _TRANSIENT,
    "_ALL_BROKERS_DOWN": _TRANSIENT,
    "_RESOLVE": _TRANSIENT,
    "not_loopback": _CONFIG,
    "internal_error": _TRANSIENT,
    "fence": _NOT_SENT,
    "cancelled": _NOT_SENT,
    "closed": _NOT_SENT,
    "connection_lost": _NOT_SENT,
}

WORDS: Final[dict[str, str]] = {
    # the library's names in the words that all providers share
    "_TRANSPORT": "connect_failed",
    "_TIMED_OUT": "connect_failed",
    "_ALL_BROKERS_DOWN": "connect_failed",
    "_RESOLVE": "dns_failed",
    "_SSL": "tls_failed",
    "_AUTHENTICATION": "auth_failed",
    "_UNKNOWN_TOPIC": "topic_unknown",
    "UNKNOWN_TOPIC_OR_PART": "topic_unknown",
    "MSG_SIZE_TOO_LARGE": "too_large",
    "_QUEUE_FULL": "queue_full",
    "_MSG_TIMED_OUT": "timeout",
}


def after(name: str) -> FailureClass:
    """Return the class of an error in a delivery report."""
    return CODES.get(name, _DOUBT)


def before(name: str) -> FailureClass:
    """Return the class of what went wrong before a record was handed over."""
    return BEFORE.get(name) or CODES.get(name, _TRANSIENT)


def code(name: str) -> str:
    """Return the short code that people read."""
    return WORDS.get(name, name.lower().strip("_"))
