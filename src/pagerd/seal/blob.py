"""The envelope: a few bytes that say how, then ciphertext that opens only in the place it was made for.

::

    blob = "PGR" ‖ version 1 ‖ algorithm 1 ‖ key id (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

AES-256-GCM (NIST SP 800-38D) with a random nonce. The associated data is ``pager/v1``, purpose, workspace, session,
place, column, key id and algorithm, each behind its length, so that a blob moved to another row, column, session or
workspace, or read as another algorithm, does not open. There is no plaintext form: what is not a blob is an error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pagerd.core.errors import SealBroken

MAGIC: Final = b"PGR"
VERSION: Final = 1
AES_256_GCM: Final = 1
KEY_ID_BYTES: Final = 16
KEY_BYTES: Final = 32
OVERHEAD: Final = len(MAGIC) + 2 + KEY_ID_BYTES + 12 + 16
"""By how many bytes a blob is longer than what it seals."""

_PREFIX: Final = MAGIC + bytes((VERSION, AES_256_GCM))
_HEAD: Final = len(_PREFIX) + KEY_ID_BYTES
_BODY: Final = _HEAD + 12


def bound(fields: Sequence[bytes]) -> bytes:
    """Return ``fields`` one after another, each behind its length (two bytes, big endian): no two lists agree."""
    return b"".join(len(field).to_bytes(2, "big") + field for field in fields)


def key_id_of(blob: bytes) -> bytes:
    """Return the id (16 bytes) of the key that sealed a blob; raise :class:`SealBroken` for anything but a blob."""
    if not blob.startswith(_PREFIX) or len(blob) < OVERHEAD:
        _refuse(blob)
    return blob[len(_PREFIX) : _HEAD]


def _refuse(blob: bytes) -> NoReturn:
    """Say what is wrong with the first bytes of ``blob``."""
    if not blob.startswith(MAGIC):
        raise SealBroken("this is not a sealed value: it does not begin as one")
    if len(blob) < OVERHEAD:
        raise SealBroken(f"this sealed value is cut off: {len(blob)} bytes, and the shortest has {OVERHEAD}")
    if blob[len(MAGIC)] != VERSION:
        raise SealBroken(f"this value was sealed in format {blob[len(MAGIC)]}; this release knows format {VERSION}")
    raise SealBroken(f"this value was sealed with the unknown algorithm {blob[len(MAGIC) + 1]}")


class Box:
    """Seals and opens under one key and for one purpose; about 1 µs each for 600 bytes."""

    __slots__ = ("_aead", "_front", "_head", "_tails", "id")

    def __init__(self, key: bytes, key_id: bytes, purpose: str, workspace: int) -> None:
        """Hold ``key`` (32 bytes), named ``key_id`` (16 bytes); it can't be read back."""
        if len(key) != KEY_BYTES or len(key_id) != KEY_ID_BYTES:
            raise ValueError("a key has 32 bytes, its id 16")
        self.id = key_id
        self._aead = AESGCM(key)
        self._head = _PREFIX + key_id
        self._front = bound((b"pager/v1", purpose.encode(), workspace.to_bytes(8, "big")))
        self._tails: dict[str, bytes] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key does not travel")

    def seal(self, column: str, session: bytes, place: bytes, plain: bytes) -> bytes:
        """Return the blob that opens only with this key, for the same column, session and place."""
        nonce = os.urandom(12)
        return b"".join((self._head, nonce, self._aead.encrypt(nonce, plain, self._context(column, session, place))))

    def open(self, column: str, session: bytes, place: bytes, blob: bytes) -> bytes:
        """Return what was sealed; raise :class:`SealBroken` for another place, another key, or a changed byte."""
        if blob[:_HEAD] != self._head and key_id_of(blob) != self.id:
            raise SealBroken(f"this value was sealed with key {key_id_of(blob).hex()}, not with {self.id.hex()}")
        if len(blob) < OVERHEAD:
            _refuse(blob)
        try:
            return self._aead.decrypt(blob[_HEAD:_BODY], blob[_BODY:], self._context(column, session, place))
        except InvalidTag:
            raise SealBroken(f"a sealed {column} did not open: it was changed, or it is not in its own place") from None

    def _context(self, column: str, session: bytes, place: bytes) -> bytes:
        """Return the associated data; what never changes for a key and a column is made once."""
        tail = self._tails.get(column)
        if tail is None:
            tail = self._tails[column] = bound((column.encode(), self.id, bytes((AES_256_GCM,))))
        return b"".join(
            (self._front, len(session).to_bytes(2, "big"), session, len(place).to_bytes(2, "big"), place, tail)
        )
