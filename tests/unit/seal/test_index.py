"""Blind values: the same for the same, nothing in common between uses, impossible without the key."""

from __future__ import annotations

import pickle
from hashlib import blake2b

import pytest

from pagerd.core.ids import TAIL_BYTES
from pagerd.seal.index import BlindIndex

KEY = bytes(range(32))
ADDRESS = "ada@example.com"


def test_the_same_address_has_the_same_value_in_every_process() -> None:
    expected = blake2b(ADDRESS.encode(), key=KEY, digest_size=16, person=b"address").digest()
    assert BlindIndex(KEY).of(ADDRESS) == BlindIndex(KEY).of(ADDRESS) == expected


def test_the_values_are_pinned() -> None:
    """They stand in databases: no release may compute them differently."""
    index = BlindIndex(KEY)
    assert index.of(ADDRESS).hex() == "1bf04f8e09536afe35bb3b048e30dbc3"
    assert index.of_text("reference", "order-17").hex() == "0f420dcf421958ebb0dc622d18f8cf6a"
    assert index.tail(b"p" * 22).hex() == "236f84fb4f6a"
    assert index.mac(b"{}").hex() == "fe17f5687cab41433fca36e32e594543ca117a0341db8a35fa5c8f33aa21af9c"


def test_another_key_gives_other_values() -> None:
    one, other = BlindIndex(KEY), BlindIndex(b"o" * 32)
    assert one.of(ADDRESS) != other.of(ADDRESS)
    assert one.of_text("id", "17") != other.of_text("id", "17")
    assert one.tail(b"p") != other.tail(b"p")
    assert one.mac(b"b") != other.mac(b"b")


def test_uses_have_nothing_in_common() -> None:
    index, word = BlindIndex(KEY), "seventeen"
    values = [
        index.of(word),
        index.of_text("id", word),
        index.of_text("reference", word),
        index.tail(word.encode()),
        index.mac(word.encode()),
    ]
    assert len({value[:TAIL_BYTES] for value in values}) == 5


def test_a_purpose_does_not_run_into_its_text() -> None:
    index = BlindIndex(KEY)
    assert index.of_text("id", "entity") != index.of_text("iden", "tity")


def test_sizes() -> None:
    index = BlindIndex(KEY)
    assert [len(v) for v in (index.of("a"), index.of_text("id", "a"), index.tail(b"a"), index.mac(b"a"))] == [
        16,
        16,
        TAIL_BYTES,
        32,
    ]


def test_one_value_leaves_no_trace_in_the_next() -> None:
    index = BlindIndex(KEY)
    before = index.of(ADDRESS), index.of_text("id", "1"), index.tail(b"p"), index.mac(b"b")
    index.of("somebody else"), index.of_text("id", "2"), index.tail(b"q"), index.mac(b"c")
    assert (index.of(ADDRESS), index.of_text("id", "1"), index.tail(b"p"), index.mac(b"b")) == before


def test_an_address_in_any_script_has_a_value() -> None:
    assert len(BlindIndex(KEY).of("δοκιμή@παράδειγμα.example")) == 16


def test_a_key_neither_shows_nor_travels() -> None:
    assert KEY.hex() not in repr(BlindIndex(KEY))
    with pytest.raises(TypeError):
        pickle.dumps(BlindIndex(KEY))
