"""Whatever a mail looks like, its source is shown, and what is wrong with it is named."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.adapters.capture import reading
from pagerd.adapters.capture.journal import Entry
from pagerd.ports.mailbox import Captured


def read(source: bytes) -> Captured:
    entry = Entry(1, 0.0, b"a@b.example", (b"c@d.example",), source)
    return reading.read(entry, reading.summary(entry, "cap_1"))


GOOD = b"From: a@b.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@b>\r\nSubject: hi\r\n"


def test_a_mail_with_everything():
    message = EmailMessage(policy=SMTP)
    message["From"] = "Łukasz <l@example.com>"
    message["Subject"] = "Ünïcode " * 20
    message["Date"] = "Mon, 1 Jan 2024 00:00:00 +0000"
    message["Message-ID"] = "<1@example.com>"
    message.set_content("text\nwörds")
    message.add_alternative("<p>wörds</p>", subtype="html")
    message.add_attachment(b"%PDF" * 10, maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    captured = read(message.as_bytes())
    assert captured.summary.subject == ("Ünïcode " * 20).strip()
    assert captured.summary.author == "Łukasz <l@example.com>"
    assert (captured.text, captured.html) == ("text\nwörds\n", "<p>wörds</p>\n")
    [attachment] = captured.attachments
    assert (attachment.name, attachment.content_type, attachment.size) == ("Rechnung März.pdf", "application/pdf", 40)
    assert ("Subject", ("Ünïcode " * 20).strip()) in captured.headers
    assert captured.problems == ()


def test_headers_are_shown_in_order_unfolded_and_repeated():
    captured = read(GOOD + b"X-A: one\r\n\ttwo\r\nx-a: three\r\n\r\nSubject: not a header\r\n")
    assert captured.headers[-2:] == (("X-A", "one two"), ("x-a", "three"))
    assert captured.summary.subject == "hi"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (GOOD + b"\r\nbare\nline", "CR or LF"),
        (GOOD + b"\r\nbare\rline\r\n", "CR or LF"),
        (GOOD + b"\r\n" + b"x" * 1000 + b"\r\n", "998"),
        (GOOD + b"\r\n\0", "NUL"),
        (GOOD + b"Subject: again\r\n\r\n", "Subject more than once"),
        (b"Subject: x\r\n\r\n", "no Message-ID"),
        (GOOD + b"X: " + b"x" * 300_000 + b"\r\n\r\nbody", "256 KiB"),
        (GOOD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nopen", "boundary"),
        (GOOD + b"Content-Type: multipart/mixed\r\n\r\nx", "boundary"),
        (GOOD + b"Content-Transfer-Encoding: base64\r\n\r\n%%%\r\n", "base64"),
    ],
)
def test_problems_are_named(source: bytes, problem: str):
    captured = read(source)
    assert problem in " / ".join(captured.problems)
    assert captured.source == source


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\r\n",
        b"no headers at all",
        b":\r\n:\r\n\r\n",
        GOOD + b"Content-Type: text/html; charset=nonsense\r\n\r\n<p>\xff\r\n",
        GOOD + b"Content-Type: text/plain; charset=\xff\xfe\r\n\r\n\xff\r\n",
        GOOD + b"Content-Type: ;;;;=\r\nContent-Disposition: =?x?q?\r\n\r\nx",
        GOOD + b"Content-Type: multipart/alternative; boundary=\"\"\r\n\r\n----\r\n",
        GOOD + b"To: " + b"<" * 500 + b"\r\nCc: " + b"(" * 5000 + b"\r\n\r\nx",
        b"Subject: =?utf-8?b?%%%%?= =?nonsense?q?x?= =?utf-8?q?=ff?=\r\nFrom: =?utf-8?b?A?=\r\n\r\nx",
        b"Subject:" + b" =?utf-8?q?a?=" * 20_000 + b"\r\n\r\nx",
    ],
)  # fmt: skip
def test_broken_mails_are_shown_all_the_same(source: bytes):
    captured = read(source)
    assert captured.source == source
    assert captured.summary.size == len(source)


def test_parts_nested_without_end():
    levels = 3000
    source = GOOD + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels)
    )
    captured = read(source)
    assert captured.source == source
    assert "can't be taken apart" in " / ".join(captured.problems)


def test_an_unknown_charset_is_read_as_utf_8():
    assert read(GOOD + "Content-Type: text/plain; charset=x-none\r\n\r\ngrün\r\n".encode()).text == "grün\n"
    captured = read(b"Subject: =?x-none?q?gr=C3=BCn?=\r\n\r\n")
    assert captured.summary.subject == "grün"


@given(
    st.binary(max_size=300)
    | st.text(alphabet='aFromSubject:=?utf-8qb \r\n\t;"boundary/-', max_size=300).map(str.encode)
)
def test_nothing_brings_it_down(source: bytes):
    assert read(source).source == source
    assert read(GOOD + source).source == GOOD + source
    assert read(GOOD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + source).summary.subject == "hi"
