"""What an answer of the API, or the code in a receipt, means: the map is data.

The API's own code decides before the HTTP status; an unknown code falls back to the status. Only what is surely said
about a number is ``permanent_address``, for such a number is never written to again. An answer from a gateway on the
way (502, 504) says nothing of what became of the message: it is a doubt.
"""

from __future__ import annotations

from typing import Final

from pagerd.core.outcomes import FailureClass

_ADDRESS: Final = FailureClass.PERMANENT_ADDRESS
_CONTENT: Final = FailureClass.PERMANENT_CONTENT
_CONFIG: Final = FailureClass.PROVIDER_CONFIG
_TRANSIENT: Final = FailureClass.TRANSIENT
_THROTTLED: Final = FailureClass.THROTTLED
_DOUBT: Final = FailureClass.IN_DOUBT

CODES: Final[dict[int, FailureClass]] = {
    # about the number
    21211: _ADDRESS,  # not a valid number
    21214: _ADDRESS,  # can't be reached
    21217: _ADDRESS,  # does not appear to be valid
    21610: _ADDRESS,  # its owner opted out
    21614: _ADDRESS,  # not a mobile number
    30005: _ADDRESS,  # unknown handset
    30006: _ADDRESS,  # landline, or a carrier that can't be reached
    # about the content, or what is thought of it
    21602: _CONTENT,  # no body
    21612: _CONTENT,  # not from this sender to this number
    21617: _CONTENT,  # longer than 1,600 characters
    30004: _CONTENT,  # blocked by the recipient's carrier
    30007: _CONTENT,  # filtered as unwanted
    # about us
    20003: _CONFIG,  # wrong credential
    20005: _CONFIG,  # the account is not active
    20006: _CONFIG,  # access denied
    20404: _CONFIG,  # no such account
    21212: _CONFIG,  # the sender is not valid
    21408: _CONFIG,  # the account may not write to this country
    21603: _CONFIG,  # no sender
    21606: _CONFIG,  # the sender is not ours, or can't send SMS
    21608: _CONFIG,  # a trial account, and the number is not verified
    21609: _CONFIG,  # the status callback is no URL
    21659: _CONFIG,  # the sender is not a number of the service
    21660: _CONFIG,  # the sender is another account's
    21701: _CONFIG,  # no such messaging service
    21703: _CONFIG,  # the messaging service has no sender
    21704: _CONFIG,
    21705: _CONFIG,  # the messaging service is not valid
    30002: _CONFIG,  # the account is suspended
    30032: _CONFIG,  # the toll-free sender is not verified
    30034: _CONFIG,  # the sender is not registered
    # later
    20500: _TRANSIENT,
    20503: _TRANSIENT,
    30001: _TRANSIENT,  # the queue overflowed
    30003: _TRANSIENT,  # the handset is off
    30008: _TRANSIENT,  # unknown error
    30009: _TRANSIENT,  # a segment is missing
    # slower
    14107: _THROTTLED,
    20429: _THROTTLED,
    21611: _THROTTLED,  # the sender's queue is full
    30022: _THROTTLED,  # the registered rate is exceeded
    30023: _THROTTLED,  # the registered daily count is reached
}

STATUSES: Final[dict[int, FailureClass]] = {
    401: _CONFIG,
    403: _CONFIG,
    404: _CONFIG,
    405: _CONFIG,
    407: _CONFIG,
    408: _TRANSIENT,
    425: _TRANSIENT,
    429: _THROTTLED,
    503: _TRANSIENT,
}

FIRST_DIGITS: Final[dict[int, FailureClass]] = {
    1: _DOUBT,
    3: _CONFIG,  # never followed: the credential goes where it was meant for
    4: _CONTENT,
    5: _DOUBT,
}

LOCAL: Final[dict[str, FailureClass]] = {
    # what no answer says, before the body was written
    "dns_failed": _TRANSIENT,
    "connect_failed": _TRANSIENT,
    "connection_lost": _TRANSIENT,
    "internal_error": _TRANSIENT,
    "tls_failed": _CONFIG,
    "tls_unverified": _CONFIG,
    "too_many_segments": _CONTENT,
    "sender_missing": _CONFIG,
    "fence": FailureClass.NOT_SENT,
    "cancelled": FailureClass.NOT_SENT,
    "closed": FailureClass.NOT_SENT,
}


def look_up(status: int, code: int | None) -> FailureClass:
    """Return the class of an answer that is no success, by its status and the API's code in it."""
    if code is not None and code in CODES:
        return CODES[code]
    return STATUSES.get(status) or FIRST_DIGITS.get(status // 100, _DOUBT)
