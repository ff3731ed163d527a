"""A message made ready: what is refused before anything is sent, and that nothing in it can end it early."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagerd.adapters.smtp.abilities import NONE, Abilities
from pagerd.adapters.smtp.envelope import Unfit, has_bare_newline, parcel, stuffed

FULL = Abilities(size=10_000, eightbit=True, utf8=True)
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
PIECES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\xff", b"\x85", b"\0"]), max_size=12)


@given(PIECES)
@example([b"\r", b"a", b"\n"])
@example([b"\n", b".", b"\r\n"])
@example([b"\r"])
def test_a_bare_newline_is_found_wherever_it_stands(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    assert has_bare_newline(body) == bool(BARE.search(body))


@given(PIECES)
def test_no_body_can_end_itself(pieces: list[bytes]) -> None:
    body = b"".join(pieces).replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    wire = stuffed(body) + b".\r\n"
    assert (b"\r\n" + wire).index(b"\r\n.\r\n") == len(wire) - 3
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    assert b"\r\n".join(line.removeprefix(b".") for line in lines) == body


BAD = ["", "a b@x.example", "a\r\n@x.example", "a\0@x.example", "<a@x.example>", "a@x.example>", "a\x7f@x", "a\x85@x"]


@pytest.mark.parametrize("address", [*BAD, "a\u2028@x.example", "\ud800@x.example", "a" * 255], ids=ascii)
def test_an_address_that_could_break_out_is_refused(letter: Any, address: str) -> None:
    with pytest.raises(Unfit, match="address_invalid"):
        parcel(0, letter(0).__class__(place=0, to=address, sender="s@x.example", key="k", body=b"x\r\n"), FULL, 100)


@pytest.mark.parametrize("address", BAD[1:], ids=ascii)
def test_a_sender_that_could_break_out_is_refused(letter: Any, address: str) -> None:
    with pytest.raises(Unfit, match="sender_invalid"):
        parcel(0, letter(0, sender=address), FULL, 100)


def test_the_null_sender_is_one(letter: Any) -> None:
    assert parcel(0, letter(0, sender=""), NONE, 100).envelope == b"MAIL FROM:<>\r\nRCPT TO:<p0@example.com>\r\n"


@pytest.mark.parametrize(
    ("fields", "abilities", "expected"),
    [
        ({}, NONE, ""),
        ({}, FULL, " SIZE=3"),
        ({"body": "ü\r\n".encode()}, FULL, " SIZE=4 BODY=8BITMIME"),
        ({"body": "ü\r\n".encode(), "international": True}, FULL, " SIZE=4 BODY=8BITMIME SMTPUTF8"),
        ({"international": True}, FULL, " SIZE=3 BODY=8BITMIME SMTPUTF8"),
        ({"to": "grüße@example.com"}, FULL, " SIZE=3 BODY=8BITMIME SMTPUTF8"),
        ({"sender": "grüße@example.com"}, FULL, " SIZE=3 BODY=8BITMIME SMTPUTF8"),
        ({"body": b"a\r\nb"}, FULL, " SIZE=6"),
    ],
)
def test_the_parameters_of_mail(letter: Any, fields: dict[str, Any], abilities: Abilities, expected: str) -> None:
    message = letter(0, **{"body": b"x\r\n", **fields})
    made = parcel(4, message, abilities, 100)
    assert made.envelope.decode() == f"MAIL FROM:<{message.sender}>{expected}\r\nRCPT TO:<{message.to}>\r\n"
    assert made.body.endswith(b"\r\n")
    assert made.at == 4


@pytest.mark.parametrize(
    ("fields", "abilities", "code"),
    [
        ({"international": True}, Abilities(eightbit=True), "smtputf8_missing"),
        ({"to": "grüße@example.com"}, NONE, "smtputf8_missing"),
        ({"sender": "grüße@example.com"}, NONE, "smtputf8_missing"),
        ({"body": b"\xff\r\n"}, NONE, "eightbit_missing"),
        ({"body": b"x" * 101}, FULL, "too_large"),
        ({"body": b"x" * 20}, Abilities(size=19), "too_large"),
        ({"body": b"x\ny\r\n"}, FULL, "bare_newline"),
        ({"body": b"x\r"}, FULL, "bare_newline"),
        ({"body": b"x\r\n.\n\r\nMAIL FROM:<evil@x>\r\n"}, FULL, "bare_newline"),
    ],
)
def test_what_this_peer_cannot_take(letter: Any, fields: dict[str, Any], abilities: Abilities, code: str) -> None:
    with pytest.raises(Unfit, match=code):
        parcel(0, letter(0, **fields), abilities, 100)


def test_no_limit_said_is_no_limit(letter: Any) -> None:
    assert b"SIZE=51" in parcel(0, letter(0, body=b"x" * 49), Abilities(size=0), 100).envelope
