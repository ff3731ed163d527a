"""From an answer of the API to what it says about a message; pure."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pagerd.adapters.twilio.codes import look_up
from pagerd.core.outcomes import FailureClass

WORDS: Final = 500
_UNSENT: Final = frozenset({"failed", "undelivered", "canceled"})


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says: a class, a code (``"400 21211"``), the API's words, its name for the message."""

    kind: FailureClass
    code: str = ""
    text: str = ""
    reference: str = ""
    retry_after: float | None = None


def understood(status: int, headers: Mapping[str, str], raw: bytes, now: float) -> Said:
    """Return what an answer says; ``raw`` is its body, as far as it could be read."""
    body = _read(raw)
    told_code = body.get("code") if status >= 300 else body.get("error_code")
    number = told_code if isinstance(told_code, int) else None
    failed = body.get("status") in _UNSENT
    if 200 <= status < 300 and not failed:
        return Said(kind=FailureClass.OK, code=str(status), reference=_words(body.get("sid")))
    kind = look_up(status if status >= 300 else 400, number)
    wait = retry_after(headers.get("Retry-After", ""), now)
    if kind is FailureClass.TRANSIENT and wait is not None:
        kind = FailureClass.THROTTLED  # it names the time itself
    return Said(
        kind=kind,
        code=f"{status} {number or ''}".rstrip(),
        text=_words(body.get("message") or body.get("error_message")),
        reference=_words(body.get("sid")),
        retry_after=wait if kind is FailureClass.THROTTLED else None,
    )


def retry_after(text: str, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for (RFC 9110, section 10.2.3: a number or a date), or ``None``."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _read(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or an empty one where it is none."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _words(value: object) -> str:
    """Return a text of the API on one printable line, at most 500 characters."""
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:WORDS])
