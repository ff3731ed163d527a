"""What an SMTP reply means for the recipient, the content, the provider and the next attempt: the map is data.

A reply is looked up from the most to the least particular, the enhanced code (RFC 3463, RFC 5248, RFC 7372, RFC 7504)
before the basic one (RFC 5321, section 4.2.3), in the phase it came before any phase; at last its first digit decides.
Before the envelope a refusal is about us, not about a message: a permanent one is the provider's configuration. Only
what is surely said about a mailbox is ``permanent_address``, for such an address is never written to again.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

from pagerd.adapters.smtp.replies import Reply, code_of, enhanced_of
from pagerd.core.outcomes import FailureClass

_ADDRESS: Final = FailureClass.PERMANENT_ADDRESS
_CONTENT: Final = FailureClass.PERMANENT_CONTENT
_CONFIG: Final = FailureClass.PROVIDER_CONFIG
_TRANSIENT: Final = FailureClass.TRANSIENT
_THROTTLED: Final = FailureClass.THROTTLED


class Phase(StrEnum):
    """What a reply answers."""

    GREETING = "greeting"
    HELLO = "hello"
    TLS = "tls"
    AUTH = "auth"
    RESET = "reset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end"
    """The final dot, or BDAT LAST."""


BEFORE_ENVELOPE: Final = frozenset({Phase.GREETING, Phase.HELLO, Phase.TLS, Phase.AUTH})

TABLE: Final[dict[tuple[str, str, str], FailureClass]] = {
    # (phase, basic code, enhanced code); empty: any
    # about the mailbox
    ("", "", "5.1.1"): _ADDRESS,
    ("", "", "5.1.2"): _ADDRESS,
    ("", "", "5.1.3"): _ADDRESS,
    ("", "", "5.1.6"): _ADDRESS,
    ("", "", "5.1.10"): _ADDRESS,
    ("", "", "5.2.1"): _ADDRESS,
    (Phase.RCPT, "550", ""): _ADDRESS,
    (Phase.RCPT, "551", ""): _ADDRESS,
    (Phase.RCPT, "553", ""): _ADDRESS,
    (Phase.RCPT, "556", ""): _ADDRESS,
    # about the sender, which the content chose
    (Phase.MAIL, "", "5.1.1"): _CONTENT,
    (Phase.MAIL, "", "5.1.2"): _CONTENT,
    (Phase.MAIL, "", "5.1.3"): _CONTENT,
    (Phase.MAIL, "", "5.1.6"): _CONTENT,
    (Phase.MAIL, "", "5.1.10"): _CONTENT,
    (Phase.MAIL, "", "5.2.1"): _CONTENT,
    ("", "", "5.1.7"): _CONTENT,
    ("", "", "5.1.8"): _CONTENT,
    # about the content, or what is thought of it
    ("", "", "5.2.3"): _CONTENT,
    ("", "", "5.3.4"): _CONTENT,
    ("", "", "5.6.*"): _CONTENT,
    ("", "", "5.7.*"): _CONTENT,
    # about us
    ("", "530", ""): _CONFIG,
    ("", "534", ""): _CONFIG,
    ("", "535", ""): _CONFIG,
    ("", "538", ""): _CONFIG,
    ("", "530", "5.7.*"): _CONFIG,
    ("", "534", "5.7.*"): _CONFIG,
    ("", "535", "5.7.*"): _CONFIG,
    ("", "538", "5.7.*"): _CONFIG,
    ("", "", "5.7.8"): _CONFIG,
    ("", "", "5.7.9"): _CONFIG,
    ("", "", "5.7.10"): _CONFIG,
    ("", "", "5.7.11"): _CONFIG,
    ("", "", "5.7.12"): _CONFIG,
    ("", "", "5.7.13"): _CONFIG,
    ("", "", "5.7.14"): _CONFIG,
    ("", "", "5.7.25"): _CONFIG,
    (Phase.MAIL, "502", ""): _CONFIG,
    (Phase.MAIL, "503", ""): _CONFIG,
    # later
    ("", "", "5.2.2"): _TRANSIENT,
    (Phase.RCPT, "552", ""): _TRANSIENT,  # RFC 5321, section 4.5.3.1.10: to be treated as temporary
    (Phase.RCPT, "503", ""): _TRANSIENT,  # MAIL was accepted: the peer has lost its place
    (Phase.DATA, "503", ""): _TRANSIENT,
    (Phase.END, "503", ""): _TRANSIENT,
    ("", "", "5.5.3"): _THROTTLED,
    # slower
    ("", "", "4.3.2"): _THROTTLED,
    ("", "", "4.5.3"): _THROTTLED,
    ("", "", "4.7.*"): _THROTTLED,
    # the first digit
    ("", "4", ""): _TRANSIENT,
    ("", "5", ""): _CONTENT,
}

LOCAL: Final[dict[str, FailureClass]] = {
    # what no reply says
    "dns_failed": _TRANSIENT,
    "connect_failed": _TRANSIENT,
    "connection_lost": _TRANSIENT,
    "timeout": _TRANSIENT,
    "bad_reply": _TRANSIENT,
    "internal_error": _TRANSIENT,
    "tls_missing": _CONFIG,
    "tls_unverified": _CONFIG,
    "tls_failed": _CONFIG,
    "tls_injection": _CONFIG,
    "auth_missing": _CONFIG,
    "auth_unsupported": _CONFIG,
    "address_invalid": _ADDRESS,
    "sender_invalid": _CONTENT,
    "bare_newline": _CONTENT,
    "too_large": _CONTENT,
    "smtputf8_missing": _CONTENT,
    "eightbit_missing": _CONTENT,
    "fence": FailureClass.NOT_SENT,
    "cancelled": FailureClass.NOT_SENT,
    "closed": FailureClass.NOT_SENT,
}


def classify(phase: Phase, reply: Reply) -> tuple[FailureClass, str]:
    """Return what a refusal (4xx or 5xx) means and the code to keep: ``(permanent_address, "550 5.1.1")``."""
    basic, enhanced = code_of(reply), enhanced_of(reply)
    return look_up(phase, basic, enhanced), f"{basic} {enhanced}".rstrip()


@lru_cache(maxsize=1024)
def look_up(phase: Phase, basic: str, enhanced: str) -> FailureClass:
    """Return the class of a refusal by its codes."""
    if phase in BEFORE_ENVELOPE and basic[0] == "5":
        return _CONFIG
    subject = enhanced.rpartition(".")[0] + ".*" if enhanced else ""
    keys = [(basic, enhanced), ("", enhanced), (basic, subject), ("", subject)] if enhanced else []
    for key in (*keys, (basic, ""), ("", "")):
        for where in (phase, ""):
            found = TABLE.get((where, *key))
            if found is not None:
                return found
    return TABLE.get(("", basic[0], ""), _TRANSIENT)
