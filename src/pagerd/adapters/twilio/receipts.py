"""What comes back later: status callbacks, read only where their signature is right.

The signature (header ``X-Twilio-Signature``) is HMAC-SHA1, in Base64, by the account's auth token over the URL as the
API was told it, followed by each form field's name and value, in order of the names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec

from pagerd.adapters.twilio.codes import look_up
from pagerd.adapters.twilio.request import RECIPIENT
from pagerd.core.errors import Forbidden, Malformed
from pagerd.core.outcomes import FailureClass

_FIELDS: Final = 200
_BODY_BYTES: Final = 64 * 1024


class ReceiptKind(StrEnum):
    """What became of a message that was accepted."""

    DELIVERED = "delivered"
    FAILED = "failed"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One event about one message: ``key`` is the recipient's id, ``reference`` the API's name for the message.

    ``failure`` and ``code`` say why it was not delivered.
    """

    kind: ReceiptKind
    key: str
    reference: str
    failure: FailureClass | None = None
    code: str = ""


_KINDS: Final[dict[str, ReceiptKind]] = {
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.DELIVERED,
    "failed": ReceiptKind.FAILED,
    "undelivered": ReceiptKind.FAILED,
    "canceled": ReceiptKind.FAILED,
}
"""Every other status (``queued``, ``sending``, ``sent`` …) is a step on the way, and no event."""


def read_receipt(token: str, url: str, headers: Mapping[str, str], body: bytes) -> list[Receipt]:
    """Return the events of one callback: none or one; ``url`` is the one that was asked for, query included.

    Raise :class:`Forbidden` (``signature_wrong``) before anything else is looked at where ``token`` did not sign it,
    and :class:`Malformed` for what is no form.
    """
    fields = _fields(body)
    given = next((value for name, value in headers.items() if name.lower() == "x-twilio-signature"), "")
    if not hmac.compare_digest(signature(token, url, fields).encode(), given.encode("utf-8", "replace")):
        raise Forbidden("the callback's signature is missing or wrong", code="signature_wrong")
    values = dict(fields)
    kind = _KINDS.get(values.get("MessageStatus") or values.get("SmsStatus") or "")
    if kind is None:
        return []
    key = parse_qs(urlsplit(url).query).get(RECIPIENT, [""])[0]
    reference = values.get("MessageSid") or values.get("SmsSid") or ""
    if kind is ReceiptKind.DELIVERED:
        return [Receipt(kind=kind, key=key, reference=reference)]
    code = values.get("ErrorCode", "")
    number = int(code) if code.isascii() and code.isdigit() and len(code) <= 9 else None
    return [Receipt(kind=kind, key=key, reference=reference, failure=look_up(400, number), code=code[:20])]


def signature(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """Return the signature of a callback: what the API computes with the same token."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form; raise :class:`Malformed` for what is none, or too large."""
    if len(body) > _BODY_BYTES:
        raise Malformed(f"a callback has at most {_BODY_BYTES} bytes", code="body_too_large")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise Malformed("the callback is no form", code="malformed") from error
