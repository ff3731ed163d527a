"""A header is one header, on lines that are short enough, and says what was meant."""

from __future__ import annotations

from email import policy
from email.header import decode_header, make_header
from email.parser import BytesParser

import pytest

from pagerd.core.errors import Invalid
from pagerd.render.addresses import Mailbox, address_bytes, read_mailbox
from pagerd.render.errors import RenderFailed
from pagerd.render.headers import header, mailbox, refuse_unsafe


def read(line: bytes, name: str = "Subject") -> str:
    assert line.endswith(b"\r\n")
    assert all(len(part) <= 78 for part in line.split(b"\r\n"))
    message = BytesParser(policy=policy.default).parsebytes(line + b"\r\n")
    assert message.keys() == [name]
    assert not message.defects
    return str(message[name])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("Hello", b"Subject: Hello\r\n"),
        ("", b"Subject: \r\n"),
        (" a  b ", b"Subject: a  b\r\n"),
        ("Grüße", b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"),
        ("x" * 67, b"Subject: " + b"x" * 67 + b"\r\n"),
        (" ".join(["word"] * 20), b"Subject: " + b"word " * 12 + b"word\r\n " + b" ".join([b"word"] * 7) + b"\r\n"),
    ],
)
def test_lines(value: str, line: bytes) -> None:
    assert header("Subject", value) == line
    assert read(line) == value.strip(" ")


@pytest.mark.parametrize(
    "value",
    [
        "x" * 68,
        "x" * 900,
        "two  spaces " * 20 + "end",
        "word " * 300 + "end",
        "é" * 300,
        "日本語" * 100,
        "😀" * 100,
        "a é " * 50 + "b",
        "a " + "b" * 80 + " c",
        "a? =x ?= =_ b",
        "quotes \" ' and <brackets>, commas; colons:",
    ],
)
def test_what_is_long_or_strange_arrives(value: str) -> None:
    assert read(header("Subject", value)) == value


@pytest.mark.parametrize(
    ("display", "phrase"),
    [
        ("Ada", b"Ada"),
        ("Ada Byron", b"Ada Byron"),
        ("Byron, Ada", b'"Byron, Ada"'),
        ('The "Countess" \\', b'"The \\"Countess\\" \\\\"'),
        ("a@b", b'"a@b"'),
        ("J. R.", b'"J. R."'),
    ],
)
def test_names(display: str, phrase: bytes) -> None:
    line = mailbox("To", b"ada@example.com", display)
    assert line == b"To: " + phrase + b" <ada@example.com>\r\n"
    assert read_to(line) == (display, "ada@example.com")


def read_to(line: bytes) -> tuple[str, str]:
    message = BytesParser(policy=policy.default).parsebytes(line + b"\r\n")
    assert message.keys() == ["To"]
    (box,) = message["To"].addresses
    return box.display_name, box.addr_spec


@pytest.mark.parametrize(
    "display", ["Jürgen Müller", "Łucja", "山田 太郎", "x" * 60, "Nguyễn " * 12 + "Thị", "é, <b@c.d>"]
)
def test_long_and_foreign_names(display: str) -> None:
    line = mailbox("To", b"ada@example.com", display)
    assert all(len(part) <= 78 for part in line.split(b"\r\n"))
    name, address = read_to(line)
    assert (name.replace(" ", ""), address) == (display.replace(" ", ""), "ada@example.com")
    phrase = line.decode().removeprefix("To: ").partition("<")[0].replace("\r\n", "").strip()
    assert str(make_header(decode_header(phrase))) == display


def test_no_name_no_brackets() -> None:
    assert (
        mailbox("To", b"ada@example.com", None) == mailbox("To", b"ada@example.com", " ") == b"To: ada@example.com\r\n"
    )


def test_too_long_is_a_mistake() -> None:
    with pytest.raises(RenderFailed) as failed:
        header("Subject", "x" * 2001)
    assert failed.value.code == "header_too_long"
    refuse_unsafe("subject", "x" * 2000)


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "ada.byron+tag@mail.example.com",
        "o'neil@example.com",
        "a..b@example.com",
        '"a b"@example.com',
        '"a\\"b@c"@example.com',
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "jürgen@example.com",
        "用户@example.com",
    ],
)
def test_addresses(address: str) -> None:
    assert address_bytes("recipient", address) == address.encode()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b.example, c@d.example",
        "a@b.example c@d.example",
        "Ada <a@b.example>",
        "<a@b.example>",
        "a@b.example>",
        "a@b@c.example",
        "a(comment)@b.example",
        "a@-b.example",
        "a@b.example-",
        "a@bücher.example",
        "a b@c.example",
        '"a@c.example',
        '"a\nb"@c.example',
        "a\u2028b@c.example",
        "a\u0085b@c.example",
        "a\ud800@c.example",
        "a" * 320 + "@b.example",
    ],
)
def test_what_is_not_one_address(address: str) -> None:
    with pytest.raises(RenderFailed):
        address_bytes("recipient", address)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("hi@shop.example", "", "hi@shop.example"),
        (" hi@shop.example ", "", "hi@shop.example"),
        ("<hi@shop.example>", "", "hi@shop.example"),
        ("Shop <hi@shop.example>", "Shop", "hi@shop.example"),
        ('"Shop, Inc." <hi@shop.example>', "Shop, Inc.", "hi@shop.example"),
        ('"The \\"Shop\\"" <hi@shop.example>', 'The "Shop"', "hi@shop.example"),
        ("Shop, Inc. <hi@shop.example>", "Shop, Inc.", "hi@shop.example"),
        ("Müller & Söhne <hi@müller.example>", "Müller & Söhne", "hi@xn--mller-kva.example"),
        ("jürgen@shop.example", "", "jürgen@shop.example"),
    ],
)
def test_senders(text: str, name: str, address: str) -> None:
    assert read_mailbox(text) == Mailbox(name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Shop",
        "Shop <>",
        "Shop <hi>",
        "a@b.example, c@d.example",
        "A <a@b.example>, B <c@d.example>",
        'a"b <c@d.example>',
        "A <a@b.example> <c@d.example>",
        "hi@" + "ü" * 70 + ".example",
        "hi@ü..example",
        "group: a@b.example;",
    ],
)
def test_what_is_no_sender(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_mailbox(text)
    assert refused.value.code == "sender_invalid"
