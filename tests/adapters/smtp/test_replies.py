"""Replies: cut out of any stream, however it arrives; and nothing else taken for one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.adapters.smtp.abilities import Abilities, of_ehlo
from pagerd.adapters.smtp.replies import (
    MAX_LINE,
    Garbage,
    ReplyReader,
    code_of,
    enhanced_of,
    reference_of,
    words_of,
)

STREAM = b"220 hi\r\n250-peer\r\n250-SIZE 1\r\n250 PIPELINING\r\n250\r\n354 go\r\n550-5.1.1 no\r\n550 5.1.1 never\n"
REPLIES = [
    b"220 hi\r",
    b"250-peer\r\n250-SIZE 1\r\n250 PIPELINING\r",
    b"250\r",
    b"354 go\r",
    b"550-5.1.1 no\r\n550 5.1.1 never",
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=len(STREAM)))
def test_replies_come_out_whole_however_the_stream_is_cut(cuts: list[int]) -> None:
    reader, replies = ReplyReader(), list[bytes]()
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        assert not reader.feed(STREAM[start:end], replies)
    assert replies == REPLIES
    assert not reader.midway


def test_a_reader_knows_that_it_holds_half_a_reply() -> None:
    reader = ReplyReader()
    reader.feed(b"250-one\r\n", [])
    assert reader.midway
    reader.feed(b"250 two\r\n", [])
    assert not reader.midway
    reader.feed(b"2", [])
    assert reader.midway


@pytest.mark.parametrize(
    "line",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"150 early\r\n",
        b"650 late\r\n",
        b"25x no\r\n",
        b"2505 no\r\n",
        b"250_no\r\n",
        b"\xb2\xb5\xb0 no\r\n",
        b"250-one\r\n251 two\r\n",
        b"<html>\n",
        b"x" * (MAX_LINE + 1),
        b"250-x\r\n" * 20_000,
    ],
    ids=lambda line: repr(line[:12]),
)
def test_garbage_is_refused_and_what_came_before_it_kept(line: bytes) -> None:
    replies = list[bytes]()
    with pytest.raises(Garbage):
        ReplyReader().feed(b"250 good\r\n" + line, replies)
    assert replies == [b"250 good\r"]


def test_after_a_421_nothing_counts() -> None:
    replies = list[bytes]()
    assert ReplyReader().feed(b"250 ok\r\n421-by\r\n421 bye\r\n250 ghost\r\nrubbish\r\n", replies)
    assert replies == [b"250 ok\r", b"421-by\r\n421 bye\r"]


@pytest.mark.parametrize(
    ("reply", "code", "enhanced", "words"),
    [
        (b"250 2.0.0 Ok\r", "250", "2.0.0", "2.0.0 Ok"),
        (b"250\r", "250", "", ""),
        (b"550 5.1.10 no\r", "550", "5.1.10", "5.1.10 no"),
        (b"550 5.1.1", "550", "5.1.1", "5.1.1"),
        (b"550-5.1.1 no\r\n550 5.1.1 never\r", "550", "5.1.1", "5.1.1 no 5.1.1 never"),
        (b"550 5.1 no\r", "550", "", "5.1 no"),
        (b"550 5.1.1x no\r", "550", "", "5.1.1x no"),
        (b"550 4.1.1 no\r", "550", "", "4.1.1 no"),
        (b"550 \xff\x1b[2J gr\xc3\xbc\xc3\x9fe\r", "550", "", "\ufffd?[2J grüße"),
        (b"550 " + b"x" * 2000 + b"\r", "550", "", "x" * 500),
    ],
)
def test_a_replys_parts(reply: bytes, code: str, enhanced: str, words: str) -> None:
    assert (code_of(reply), enhanced_of(reply), words_of(reply)) == (code, enhanced, words)


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        ("2.0.0 Ok: queued as 4FzX1y2Qz3", "4FzX1y2Qz3"),
        ("OK id=1qPz3a-0001Xy-2B", "1qPz3a-0001Xy-2B"),
        ("Ok 010201890abcdef0-12345678-0000", "010201890abcdef0-12345678-0000"),
        ("2.0.0 Ok", ""),
        ("thanks", ""),
        ("", ""),
    ],
)
def test_the_name_under_which_a_message_is_queued(words: str, reference: str) -> None:
    assert reference_of(words) == reference


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"250 peer", Abilities()),
        (
            b"250-peer\r\n250-pipelining\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-AUTH PLAIN login\r\n250 CHUNKING\r",
            Abilities(pipelining=True, size=1000, eightbit=True, auth=frozenset({"PLAIN", "LOGIN"}), chunking=True),
        ),
        (b"250-peer\r\n250-SIZE\r\n250 STARTTLS\r", Abilities(size=0, starttls=True)),
        (b"250-peer\r\n250-SIZE many\r\n250-\r\n250 SMTPUTF8\r", Abilities(size=0, utf8=True, eightbit=True)),
        (b"250-peer\r\n250-AUTH=LOGIN\r\n250 AUTH PLAIN\r", Abilities(auth=frozenset({"PLAIN", "LOGIN"}))),
        (b"250-PIPELINING\r\n250 XFOO\xff\r", Abilities()),
    ],
)
def test_what_a_peer_offers(lines: bytes, expected: Abilities) -> None:
    assert of_ehlo(lines) == expected
