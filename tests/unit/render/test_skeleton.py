"""A filled skeleton is a whole mail."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core.errors import Invalid
from pagerd.core.templates import Parts
from pagerd.render.body import encoded_body
from pagerd.render.errors import RenderFailed
from pagerd.render.readback import Meant, differences, read
from pagerd.render.skeleton import MailSkeleton

TO = "ada@example.com"
KEY = "rcp_1@shop.example"
DATE = 1_800_000_000.5
BOTH = Parts(subject="Hello", text="Hi Ada.\n", html="<p>Hi Ada.</p>\n")


def test_a_mail_as_it_is() -> None:
    skeleton = MailSkeleton("Shop <hi@shop.example>", reply_to="help@shop.example", locale="en")
    mail = skeleton.fill(BOTH, to=TO, message_id=KEY, date=DATE)
    boundary = mail.split(b'boundary="')[1].split(b'"')[0].decode()
    assert mail.decode() == (
        "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
        "To: ada@example.com\r\n"
        "Subject: Hello\r\n"
        "Message-ID: <rcp_1@shop.example>\r\n"
        "From: Shop <hi@shop.example>\r\n"
        "Reply-To: help@shop.example\r\n"
        "MIME-Version: 1.0\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "Content-Language: en\r\n"
        "Content-Type: multipart/alternative;\r\n"
        f' boundary="{boundary}"\r\n'
        "\r\n"
        f"--{boundary}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Hi Ada.\r\n"
        "\r\n"
        f"--{boundary}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "<p>Hi Ada.</p>\r\n"
        "\r\n"
        f"--{boundary}--\r\n"
    )


def test_text_alone_is_no_multipart() -> None:
    mail = MailSkeleton("hi@shop.example").fill(
        Parts(subject="s", text="no line end"), to=TO, message_id=KEY, date=DATE
    )
    message = read(mail)
    assert message.get_content_type() == "text/plain"
    assert mail.endswith(b"\r\n\r\nno line end\r\n")


def test_the_message_id_is_kept() -> None:
    skeleton = MailSkeleton("hi@shop.example")
    for given_ in ("rcp_1@shop.example", "<rcp_1@shop.example>"):
        assert read(skeleton.fill(BOTH, to=TO, message_id=given_, date=DATE))["Message-ID"] == "<rcp_1@shop.example>"
    for wrong in ("", "x", "<a@b", "ü@b", "a@b>\r\n"):
        with pytest.raises(RenderFailed):
            skeleton.fill(BOTH, to=TO, message_id=wrong, date=DATE)


def test_the_date_moves_with_the_clock() -> None:
    skeleton = MailSkeleton("hi@shop.example")
    for date in (0.0, 1e9, 1e9 + 0.9, 1.0, 4e9):
        raw = read(skeleton.fill(BOTH, to=TO, message_id=KEY, date=date))["Date"]
        assert parsedate_to_datetime(str(raw)).timestamp() == int(date)


def test_somebody_writes_our_boundary_into_a_body() -> None:
    skeleton = MailSkeleton("Shop <hi@shop.example>")
    seen = read(skeleton.fill(BOTH, to=TO, message_id=KEY, date=DATE)).get_boundary()
    assert seen is not None
    for body in (f"--{seen}--\r\n", f"\n--{seen}\n--{seen}_1\n", f"x{seen}_1 {seen}_2 {seen}", f"é\n--{seen}--\n"):
        for parts in (Parts(subject="s", text=body, html="<p>h</p>"), Parts(subject="s", text="t", html=body)):
            mail = skeleton.fill(parts, to=TO, message_id=KEY, date=DATE)
            boundary = read(mail).get_boundary()
            assert boundary is not None
            assert boundary.encode() not in encoded_body(parts.text)[1]
            assert boundary.encode() not in encoded_body(parts.html or "")[1]
            assert differences(mail, meant(parts, "")) == []


def test_different_senders_have_different_boundaries() -> None:
    boundaries = {
        read(MailSkeleton(sender, locale=locale).fill(BOTH, to=TO, message_id=KEY, date=DATE)).get_boundary()
        for sender in ("a@b.example", "c@d.example")
        for locale in ("en", "de", None)
    }
    assert len(boundaries) == 6


@pytest.mark.parametrize(
    ("sender", "to", "international"),
    [
        ("hi@shop.example", TO, False),
        ("Jürgen <hi@shop.example>", TO, False),
        ("hi@bücher.example", TO, False),
        ("hi@shop.example", "jürgen@example.com", True),
        ("jürgen@shop.example", TO, True),
    ],
)
def test_smtputf8_is_needed_for_addresses_only(sender: str, to: str, international: bool) -> None:
    skeleton = MailSkeleton(sender)
    mail = skeleton.fill(BOTH, to=to, name="Jürgen", message_id=KEY, date=DATE)
    assert skeleton.needs_utf8(to) is international
    assert mail.isascii() is not international
    assert read(mail)["To"].addresses[0].addr_spec == to


def test_the_envelope_sender_is_the_bare_address() -> None:
    assert MailSkeleton('"Shop, Inc." <hi@shop.example>').address == "hi@shop.example"


def test_further_headers() -> None:
    extra = [("List-Unsubscribe", "<https://shop.example/u/1>"), ("X-Note", "é" * 100)]
    message = read(MailSkeleton("hi@shop.example").fill(BOTH, to=TO, message_id=KEY, date=DATE, extra=extra))
    assert message["List-Unsubscribe"] == "<https://shop.example/u/1>"
    assert message["X-Note"] == "é" * 100


def test_a_sender_that_the_standard_library_reads_otherwise_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        MailSkeleton("hi@shop.example", reply_to='""@shop.example')
    assert refused.value.code == "sender_invalid"


def meant(parts: Parts, name: str, to: str = TO) -> Meant:
    kinds = ("Content-Type",) if parts.html is not None else ("Content-Type", "Content-Transfer-Encoding")
    return Meant(
        names=("Date", "To", "Subject", "Message-ID", "From", "MIME-Version", "Auto-Submitted", *kinds),
        sender=("Shop", "hi@shop.example"),
        to=(name, to),
        reply_to=None,
        parts=parts,
    )


SKELETON = MailSkeleton("Shop <hi@shop.example>")
CONTROL = [chr(code) for code in [*range(32), 127]]
HEADER_TEXT = (
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters=CONTROL), max_size=200)
    .map(lambda text: text.strip(" "))
    .filter(lambda text: "=?" not in text)
)
BODY_TEXT = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters=[char for char in CONTROL if char not in "\n\t"])
)


@given(subject=HEADER_TEXT, text=BODY_TEXT, html=st.none() | BODY_TEXT, name=HEADER_TEXT)
def test_any_words_arrive_as_they_are(subject: str, text: str, html: str | None, name: str) -> None:
    parts = Parts(subject=subject, text=text, html=html)
    mail = SKELETON.fill(parts, to=TO, name=name, message_id=KEY, date=DATE)
    assert mail.isascii()
    assert differences(mail, meant(parts, name)) == []


@given(
    subject=st.text(alphabet=st.characters(categories=None), max_size=60),
    text=st.text(alphabet=st.characters(categories=None), max_size=60),
    name=st.text(alphabet=st.characters(categories=None), max_size=60),
)
def test_whatever_is_not_refused_is_one_mail_to_one_person(subject: str, text: str, name: str) -> None:
    try:
        mail = SKELETON.fill(Parts(subject=subject, text=text), to=TO, name=name, message_id=KEY, date=DATE)
    except RenderFailed as refused:
        assert refused.code in ("header_injection", "header_too_long")
        return
    lines = mail.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    message = read(mail)
    assert len(message.keys()) == 9
    assert [box.addr_spec for box in message["To"].addresses] == [TO]
