"""Header injection: a corpus of payloads against every way into a header. None may get through."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pagerd.core.errors import Invalid
from pagerd.core.templates import Parts
from pagerd.render.mail import self_test
from pagerd.render.readback import Meant, differences, read
from pagerd.render.skeleton import MailSkeleton

LINE_ENDS = [
    "\r\n",
    "\n",
    "\r",
    "\n\r",
    "\r\r\n",
    "\x00\r\n",
    "\t\r\n",
    "\r\n\r\n",
    "\n\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
]
GOALS = ["Bcc: eve@evil.example", " folded", "\tfolded", "Content-Type: text/html", "\r\n.\r\nQUIT", ""]
BROKEN = [f"x{end}{goal}" for end, goal in itertools.product(LINE_ENDS, GOALS)]
ENCODED = [
    "=?utf-8?q?x=0ABcc:_eve@evil.example?=",
    "=?utf-8?q?x=0D=0ABcc:_eve@evil.example?=",
    "=?UTF-8?Q?x=0ABcc:_eve@evil.example?=",
    "=?us-ascii?q?x=0ABcc:_eve@evil.example?=",
    "=?utf-8?b?eApCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "=?utf-8*en?q?x=0ABcc:_eve@evil.example?=",
    "=?iso-8859-1?q?x=0A?= =?iso-8859-1?q?Bcc:_eve@evil.example?=",
    "=?utf-16?b?AA0ACgBCAGMAYw==?=",
    "=?utf-8?q?=00?=",
    "=?utf-7?q?+AAo-Bcc:?=",
    "=?",
    "=??=",
    "a=?b",
    "=?utf-8?x?unknown?=",
    "before =?utf-8?q?=0A?= after",
]
CONTROLS = [f"x{chr(code)}y" for code in [*range(32), 127]]
CORPUS = list(dict.fromkeys(BROKEN + ENCODED + CONTROLS))

TO = "ada@example.com"
KEY = "0@example.com"
DATE = 1_800_000_000.0
PLAIN = Parts(subject="s", text="t", html=None)


@pytest.fixture(scope="module")
def skeleton() -> MailSkeleton:
    return MailSkeleton("Shop <hi@shop.example>")


def refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Invalid:
        return True
    return False


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("payload", CORPUS, ids=ascii)
def test_no_way_into_a_header(skeleton: MailSkeleton, payload: str) -> None:
    attempts = {
        "subject": lambda: skeleton.fill(Parts(subject=payload, text="t"), to=TO, message_id=KEY, date=DATE),
        "long subject": lambda: skeleton.fill(
            Parts(subject="word " * 40 + payload + " end", text="t"), to=TO, message_id=KEY, date=DATE
        ),
        "foreign subject": lambda: skeleton.fill(
            Parts(subject=f"é{payload}é", text="t"), to=TO, message_id=KEY, date=DATE
        ),
        "name": lambda: skeleton.fill(PLAIN, to=TO, name=f"a{payload}b", message_id=KEY, date=DATE),
        "foreign name": lambda: skeleton.fill(PLAIN, to=TO, name=f"é{payload}é", message_id=KEY, date=DATE),
        "recipient": lambda: skeleton.fill(PLAIN, to=payload + TO, message_id=KEY, date=DATE),
        "recipient's end": lambda: skeleton.fill(PLAIN, to=TO + payload, message_id=KEY, date=DATE),
        "quoted recipient": lambda: skeleton.fill(PLAIN, to=f'"{payload}"@example.com', message_id=KEY, date=DATE),
        "message id": lambda: skeleton.fill(PLAIN, to=TO, message_id=payload + KEY, date=DATE),
        "header": lambda: skeleton.fill(PLAIN, to=TO, message_id=KEY, date=DATE, extra=[("X-Note", f"a{payload}b")]),
        "header's name": lambda: skeleton.fill(PLAIN, to=TO, message_id=KEY, date=DATE, extra=[(f"X{payload}", "v")]),
        "sender": lambda: MailSkeleton(f"a{payload}b <hi@shop.example>"),
        "quoted sender": lambda: MailSkeleton(f'"a{payload}b" <hi@shop.example>'),
        "sender's address": lambda: MailSkeleton(f"hi{payload}@shop.example"),
        "reply address": lambda: MailSkeleton("hi@shop.example", reply_to=f"a{payload}b <hi@shop.example>"),
    }
    assert [way for way, attempt in attempts.items() if not refused(attempt)] == []


@pytest.mark.parametrize(
    "name", ["Bcc", "bcc", "Cc", "To", "From", "Subject", "Content-Type", "Resent-To", "X Y", "X:", "", "Ü"]
)
def test_further_headers_name_no_recipient_and_repeat_nothing(skeleton: MailSkeleton, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        skeleton.fill(PLAIN, to=TO, message_id=KEY, date=DATE, extra=[(name, "eve@evil.example")])
    assert refused.value.code == "header_injection"


@pytest.mark.parametrize("payload", CORPUS, ids=ascii)
def test_in_a_body_it_is_only_words(skeleton: MailSkeleton, payload: str) -> None:
    mail = skeleton.fill(Parts(subject="s", text=payload, html=f"<p>{payload}</p>"), to=TO, message_id=KEY, date=DATE)
    message = read(mail)
    assert message["Bcc"] is None
    assert message.keys() == [
        "Date",
        "To",
        "Subject",
        "Message-ID",
        "From",
        "MIME-Version",
        "Auto-Submitted",
        "Content-Type",
    ]
    assert mail.count(b"\r\n\r\n.\r\n") == 0 or b"\n.\n" in payload.replace("\r", "\n").encode()
    assert mail.replace(b"\r\n", b"").translate(None, bytes(range(9)) + bytes(range(10, 32)) + b"\x7f") == mail.replace(
        b"\r\n", b""
    )


def test_the_self_test_holds_here() -> None:
    self_test()


MEANT = Meant(
    names=("Date", "To", "Subject", "Message-ID", "From", "MIME-Version", "Auto-Submitted", "Content-Type"),
    sender=("Shop", "hi@shop.example"),
    to=("", TO),
    reply_to=None,
    parts=Parts(subject="s", text="t", html="<p>h</p>"),
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: s", b"Subject: s\r\nBcc: eve@evil.example"),
        (b"Subject: s", b"Subject: other"),
        (b"Subject: s\r\n", b"Subject: s\n"),
        (b"From: Shop", b"From: Eve"),
        (b"To: ada@example.com", b"To: ada@example.com, eve@evil.example"),
        (b"hi@shop.example", b"hi@evil.example"),
        (b"\r\nt\r\n", b"\r\nother\r\n"),
        (b"<p>h</p>", b"<p>" + b"h" * 1000 + b"</p>"),
        (b"<p>h</p>", b"<p>\x07</p>"),
        (b"text/html", b"text/plain"),
        (b"--\r\n", b"--"),
    ],
)
def test_reading_back_sees_every_change(old: bytes, new: bytes) -> None:
    """The check that every skeleton has to pass can fail."""
    mail = MailSkeleton("Shop <hi@shop.example>").fill(MEANT.parts, to=TO, message_id=KEY, date=DATE)
    assert differences(mail, MEANT) == []
    assert old in mail
    assert differences(mail.replace(old, new), MEANT) != []
