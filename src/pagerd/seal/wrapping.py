"""How keys wrap keys: contexts for the ring, AES Key Wrap (RFC 3394) for session keys."""

from __future__ import annotations

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pagerd.core.errors import SealBroken
from pagerd.seal.blob import KEY_BYTES, KEY_ID_BYTES, bound


def ring_context(purpose: str, workspace: int, version: int) -> bytes:
    """Return what a key wrapped by the ring is bound to."""
    return bound((b"pager/v1", purpose.encode(), workspace.to_bytes(8, "big"), version.to_bytes(4, "big")))


def derived(key: bytes, purpose: str) -> bytes:
    """Return the 32 bytes that stand for ``key`` in one use (HKDF-SHA256, RFC 5869): no key is used in two ways."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=bound((b"pager/v1", purpose.encode()))).derive(key)


def wrap(wrapping_key: bytes, key_id: bytes, key: bytes) -> bytes:
    """Return a session key and its id wrapped together (56 bytes): under another id it will not be taken."""
    return keywrap.aes_key_wrap(wrapping_key, key_id + key)


def unwrap(wrapping_key: bytes, key_id: bytes, wrapped: bytes) -> bytes:
    """Return the session key ``key_id``; raise :class:`SealBroken` for another key, another id or a changed byte."""
    try:
        plain = keywrap.aes_key_unwrap(wrapping_key, wrapped)
    except keywrap.InvalidUnwrap:
        raise SealBroken(f"session key {key_id.hex()} does not unwrap: the key store was changed") from None
    if plain[:KEY_ID_BYTES] != key_id or len(plain) != KEY_ID_BYTES + KEY_BYTES:
        raise SealBroken(f"what is kept as session key {key_id.hex()} is another key")
    return plain[KEY_ID_BYTES:]
