"""A body travels as ASCII with CRLF, and arrives as it was."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.render.body import BASE64, QUOTED, SEVEN_BIT, encoded_body

DECODERS = {SEVEN_BIT: bytes, QUOTED: quopri.decodestring, BASE64: base64.b64decode}
CONTROLS = {code: None for code in [*range(32), 127] if code not in (9, 10)}


def normal(text: str) -> str:
    """Return text as a body must arrive: LF, no control characters, no unpaired surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.translate(CONTROLS)


def decoded(text: str) -> tuple[bytes, str]:
    encoding, raw = encoded_body(text)
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= (998 if encoding == SEVEN_BIT else 76)
    return encoding, DECODERS[encoding](raw).decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", SEVEN_BIT),
        ("plain\ntext\n", SEVEN_BIT),
        ("x" * 998, SEVEN_BIT),
        ("x" * 998 + "\n" + "y" * 998, SEVEN_BIT),
        ("x" * 999, QUOTED),
        ("a\n" + "x" * 999 + "\nb", QUOTED),
        ("a\n" * 5000 + "x" * 999, QUOTED),
        ("Grüße aus Köln, wie immer mit viel Sonne und wenig Regen, Ihre Teekanne", QUOTED),
        ("Привет из Москвы", BASE64),
        ("日本語のメール\n本文", BASE64),
        ("trailing space \nand tab\t\n= é", QUOTED),
        ("é" + "x" * 69 + " \n", BASE64),
        ("é" + "x" * 68 + "\t\n", BASE64),
    ],
)
def test_encodings(text: str, encoding: bytes) -> None:
    assert decoded(text) == (encoding, text)


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a\rb\r\nc\n\rd", "a\nb\nc\n\nd"),
        ("a\x00b\x07c\x1bd\x7fe\x0cf\x0bg", "abcdefg"),
        ("tab\tstays", "tab\tstays"),
        ("\ud800 alone é", "� alone é"),
        ("\ud83d\ude00 a pair", "😀 a pair"),
        ("\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n", "\n.\nMAIL FROM:<eve@evil.example>\n"),
        ("c1 \x85\x9b and \u2028 stay", "c1 \x85\x9b and \u2028 stay"),
    ],
)
def test_what_must_not_travel(text: str, arrives: str) -> None:
    assert decoded(text)[1] == arrives


@given(st.text(alphabet=st.characters(categories=None), max_size=400))
def test_any_text_arrives(text: str) -> None:
    assert decoded(text)[1] == normal(text)


@given(
    st.lists(st.sampled_from(["x" * 500, "é", "\r", "\n", "\r\n", " ", "\t", ".", "=", "From ", "日本"]), max_size=40)
)
def test_long_lines_and_odd_line_ends_arrive(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert decoded(text)[1] == normal(text)
