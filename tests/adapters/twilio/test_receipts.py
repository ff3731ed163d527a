"""Status callbacks: the signature first, then what they say."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from pagerd.adapters.twilio.answers import retry_after
from pagerd.adapters.twilio.receipts import Receipt, ReceiptKind, read_receipt, signature
from pagerd.core.errors import Forbidden, Malformed
from pagerd.core.outcomes import FailureClass

TOKEN = "12345"
URL = "https://shop.example/sms?recipient=rcp_abc"


def called(token: str = TOKEN, url: str = URL, **fields: str) -> list[Receipt]:
    """Read a callback that was signed with ``token`` for ``URL``."""
    signed = signature(token, URL, list(fields.items()))
    return read_receipt(TOKEN, url, {"X-Twilio-Signature": signed}, urlencode(fields).encode())


@pytest.mark.parametrize(
    ("caller", "signed"),
    [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+14158675310", "GvWf1cFY/Q7PnoempGyD5oXAezc=")],
)
def test_the_examples_that_are_published(caller: str, signed: str) -> None:
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", caller),
        ("Digits", "1234"),
        ("From", caller),
        ("To", "+18005551212"),
    ]
    assert signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", fields) == signed


def test_a_delivery() -> None:
    wanted = Receipt(kind=ReceiptKind.DELIVERED, key="rcp_abc", reference="SM1")
    assert called(MessageSid="SM1", MessageStatus="delivered") == [wanted]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("30005", FailureClass.PERMANENT_ADDRESS),
        ("30007", FailureClass.PERMANENT_CONTENT),
        ("30002", FailureClass.PROVIDER_CONFIG),
        ("30008", FailureClass.TRANSIENT),
        ("", FailureClass.PERMANENT_CONTENT),
        ("²", FailureClass.PERMANENT_CONTENT),
    ],
)
def test_a_failure_says_why(code: str, failure: FailureClass) -> None:
    (found,) = called(MessageSid="SM1", MessageStatus="undelivered", ErrorCode=code)
    assert (found.kind, found.failure, found.code) == (ReceiptKind.FAILED, failure, code)


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "accepted", "surprised", ""])
def test_a_step_on_the_way_is_no_event(status: str) -> None:
    assert called(MessageSid="SM1", MessageStatus=status) == []


@pytest.mark.parametrize(
    "forged",
    [
        lambda: called(token="54321", MessageStatus="delivered"),
        lambda: called(url=URL + "x", MessageStatus="delivered"),
        lambda: read_receipt(TOKEN, URL, {}, b"MessageStatus=delivered"),
        lambda: read_receipt(TOKEN, URL, {"x-twilio-signature": "ü"}, b"MessageStatus=delivered"),
        lambda: read_receipt(
            TOKEN, URL, {"X-Twilio-Signature": signature(TOKEN, URL, [("A", "1")])}, b"A=1&MessageStatus=delivered"
        ),
    ],
    ids=["another token", "another address", "none", "no Base64", "a field more"],
)
def test_nothing_is_read_that_was_not_signed(forged: object) -> None:
    with pytest.raises(Forbidden) as refused:
        forged()  # type: ignore[operator]
    assert refused.value.code == "signature_wrong"


@pytest.mark.parametrize("body", [b"\xff=1", b"a=1&" * 300, b"x" * 70_000])
def test_what_is_no_form(body: bytes) -> None:
    with pytest.raises((Malformed, Forbidden)):
        read_receipt(TOKEN, URL, {}, body)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_a_pause_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, 10.0) == seconds
