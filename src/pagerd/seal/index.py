"""The blind index: what lets addresses be found, compared and named without being read.

Everything here is BLAKE2b (RFC 7693) keyed with the workspace's index key, which never rotates; the ``person``
field keeps each use apart, so that a value computed for one says nothing about another.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NoReturn

from pagerd.core.ids import TAIL_BYTES

HASH_BYTES: Final = 16
MAC_BYTES: Final = 32


class BlindIndex:
    """Turns addresses, names, places and bodies into values that only the holder of the index key can compute."""

    __slots__ = ("_address", "_body", "_key", "_place", "_texts")

    def __init__(self, key: bytes) -> None:
        """Hold the index ``key`` (32 bytes); it can't be read back."""
        self._key = key
        self._address = blake2b(key=key, digest_size=HASH_BYTES, person=b"address")
        self._place = blake2b(key=key, digest_size=TAIL_BYTES, person=b"place")
        self._body = blake2b(key=key, digest_size=MAC_BYTES, person=b"body")
        self._texts: dict[str, blake2b] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key does not travel")

    def of(self, normalised: str) -> bytes:
        """Return the 16 bytes by which a normalised address is found; the same address always has the same."""
        hashed = self._address.copy()
        hashed.update(normalised.encode())
        return hashed.digest()

    def of_text(self, purpose: str, text: str) -> bytes:
        """Return the 16 bytes by which another text (``id``, ``reference``) is found; purposes do not meet."""
        keyed = self._texts.get(purpose)
        if keyed is None:
            keyed = self._texts[purpose] = blake2b(key=self._key, digest_size=HASH_BYTES, person=b"text")
            name = purpose.encode()
            keyed.update(len(name).to_bytes(2, "big") + name)
        hashed = keyed.copy()
        hashed.update(text.encode())
        return hashed.digest()

    def tail(self, place: bytes) -> bytes:
        """Return the 6 bytes that close the identifier of the recipient at ``place``, so that nobody guesses it."""
        hashed = self._place.copy()
        hashed.update(place)
        return hashed.digest()

    def mac(self, body: bytes) -> bytes:
        """Return the 32 bytes that tell whether a request repeated under its Idempotency-Key has the same body."""
        hashed = self._body.copy()
        hashed.update(body)
        return hashed.digest()
