"""The envelope opens in its own place with its own key, unchanged, and nowhere else."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core.errors import SealBroken
from pagerd.seal.blob import OVERHEAD, Box, bound, key_id_of

KEY, KEY_ID = bytes(range(32)), bytes(range(100, 116))
SESSION, PLACE = b"s" * 16, b"\0\0\0\1"
PLAIN = b"Ada Lovelace <ada@example.com> owes 12.50"


def box(key: bytes = KEY, key_id: bytes = KEY_ID, purpose: str = "session", workspace: int = 1) -> Box:
    return Box(key, key_id, purpose, workspace)


def sealed() -> bytes:
    return box().seal("payload", SESSION, PLACE, PLAIN)


def test_what_is_sealed_opens() -> None:
    assert box().open("payload", SESSION, PLACE, sealed()) == PLAIN


@given(plain=st.binary(max_size=300), session=st.binary(max_size=20), place=st.binary(max_size=40))
def test_any_bytes_come_back(plain: bytes, session: bytes, place: bytes) -> None:
    blob = box().seal("payload", session, place, plain)
    assert box().open("payload", session, place, blob) == plain
    assert len(blob) == len(plain) + OVERHEAD


def test_no_plaintext_shows_and_no_two_blobs_agree() -> None:
    first, second = sealed(), sealed()
    assert first != second
    assert not any(PLAIN[at : at + 4] in first for at in range(len(PLAIN) - 3))


def test_the_format_is_what_the_specification_says() -> None:
    """Written by hand, with a library only for the cipher: a blob made so must open for ever."""
    fields = (b"pager/v1", b"session", b"\0" * 7 + b"\1", SESSION, PLACE, b"payload", KEY_ID, b"\1")
    context = b"".join(bytes((0, len(field))) + field for field in fields)
    nonce = b"n" * 12
    blob = b"PGR\x01\x01" + KEY_ID + nonce + AESGCM(KEY).encrypt(nonce, PLAIN, context)
    assert box().open("payload", SESSION, PLACE, blob) == PLAIN


@pytest.mark.parametrize("at", range(OVERHEAD + len(PLAIN)))
def test_every_flipped_byte_fails(at: int) -> None:
    blob = bytearray(sealed())
    blob[at] ^= 0x01
    with pytest.raises(SealBroken):
        box().open("payload", SESSION, PLACE, bytes(blob))


@pytest.mark.parametrize("size", range(OVERHEAD + len(PLAIN)))
def test_every_truncation_fails(size: int) -> None:
    with pytest.raises(SealBroken):
        box().open("payload", SESSION, PLACE, sealed()[:size])


def test_what_is_appended_fails() -> None:
    with pytest.raises(SealBroken):
        box().open("payload", SESSION, PLACE, sealed() + b"\0")


@pytest.mark.parametrize(
    ("column", "session", "place"),
    [
        ("spec", SESSION, PLACE),
        ("payload", b"t" * 16, PLACE),
        ("payload", SESSION, b"\0\0\0\2"),
        ("payload", SESSION + PLACE, b""),
        ("payload", b"", SESSION + PLACE),
        ("", SESSION, PLACE + b"\0\7payload"),
    ],
)
def test_another_column_session_or_place_fails(column: str, session: bytes, place: bytes) -> None:
    with pytest.raises(SealBroken, match="not in its own place"):
        box().open(column, session, place, sealed())


@pytest.mark.parametrize(
    "other",
    [box(key=b"k" * 32), box(workspace=2), box(purpose="workspace")],
    ids=["another key of that name", "another workspace", "another purpose"],
)
def test_another_key_workspace_or_purpose_fails(other: Box) -> None:
    with pytest.raises(SealBroken):
        other.open("payload", SESSION, PLACE, sealed())


def test_another_key_id_is_named() -> None:
    with pytest.raises(SealBroken, match=f"sealed with key {KEY_ID.hex()}"):
        box(key_id=b"o" * 16).open("payload", SESSION, PLACE, sealed())


def test_the_same_key_under_another_id_fails_even_with_the_id_rewritten() -> None:
    blob = sealed()
    moved = blob[:5] + b"o" * 16 + blob[21:]
    with pytest.raises(SealBroken):
        box(key_id=b"o" * 16).open("payload", SESSION, PLACE, moved)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(0, 0x70, "does not begin as one"), (3, 2, "format 2"), (4, 9, "unknown algorithm 9")],
)
def test_an_unknown_format_says_so(at: int, value: int, words: str) -> None:
    blob = bytearray(sealed())
    blob[at] = value
    with pytest.raises(SealBroken, match=words):
        box().open("payload", SESSION, PLACE, bytes(blob))
    with pytest.raises(SealBroken, match=words):
        key_id_of(bytes(blob))


def test_plaintext_is_never_taken_for_a_blob() -> None:
    with pytest.raises(SealBroken, match="does not begin as one"):
        box().open("payload", SESSION, PLACE, PLAIN * 3)


def test_a_blob_names_its_key() -> None:
    assert key_id_of(sealed()) == KEY_ID


@given(first=st.lists(st.binary(max_size=5), max_size=4), second=st.lists(st.binary(max_size=5), max_size=4))
def test_no_two_lists_of_fields_agree(first: list[bytes], second: list[bytes]) -> None:
    assert (bound(first) == bound(second)) == (first == second)


def test_a_key_neither_shows_nor_travels() -> None:
    assert KEY.hex() not in repr(box())
    with pytest.raises(TypeError):
        pickle.dumps(box())


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        box(key=b"k" * 16)


def test_the_cipher_gives_the_published_vector() -> None:
    """McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 (AES-256, in NIST's GCM proposal)."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    context = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    assert AESGCM(key).encrypt(bytes.fromhex("cafebabefacedbaddecaf888"), plain, context).hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
