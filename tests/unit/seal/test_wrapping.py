"""Keys wrapped by keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from pagerd.core.errors import SealBroken
from pagerd.seal.wrapping import derived, ring_context, unwrap, wrap

KEK, KEY, KEY_ID = b"w" * 32, b"k" * 32, b"i" * 16


def test_key_wrap_gives_the_published_vector() -> None:
    """RFC 3394, section 4.6: 256 bits of key data with a 256-bit wrapping key."""
    wrapping = bytes(range(32))
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    assert aes_key_wrap(wrapping, key).hex().upper() == (
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    )


def test_a_wrapped_key_unwraps() -> None:
    wrapped = wrap(KEK, KEY_ID, KEY)
    assert unwrap(KEK, KEY_ID, wrapped) == KEY
    assert KEY not in wrapped


def test_a_key_kept_under_another_id_is_refused() -> None:
    with pytest.raises(SealBroken, match="is another key"):
        unwrap(KEK, b"j" * 16, wrap(KEK, KEY_ID, KEY))


def test_a_bare_key_is_refused() -> None:
    with pytest.raises(SealBroken, match="is another key"):
        unwrap(KEK, KEY_ID, aes_key_wrap(KEK, KEY_ID + b"k" * 24))


def test_another_wrapping_key_fails() -> None:
    with pytest.raises(SealBroken, match="does not unwrap"):
        unwrap(b"x" * 32, KEY_ID, wrap(KEK, KEY_ID, KEY))


@pytest.mark.parametrize("at", range(56))
def test_every_flipped_byte_fails(at: int) -> None:
    wrapped = bytearray(wrap(KEK, KEY_ID, KEY))
    wrapped[at] ^= 0x80
    with pytest.raises(SealBroken):
        unwrap(KEK, KEY_ID, bytes(wrapped))


@pytest.mark.parametrize("size", range(56))
def test_every_truncation_fails(size: int) -> None:
    with pytest.raises(SealBroken):
        unwrap(KEK, KEY_ID, wrap(KEK, KEY_ID, KEY)[:size])


def test_derived_keys_differ_by_use_and_from_their_source() -> None:
    assert len({KEY, derived(KEY, "seal"), derived(KEY, "wrap session keys")}) == 3


def test_ring_contexts_differ_by_purpose_workspace_and_version() -> None:
    made = {ring_context(p, w, v) for p in ("workspace key", "index key") for w in (1, 2) for v in (1, 2)}
    assert len(made) == 8
