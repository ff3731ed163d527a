"""The batch payload: its people, encoded and sealed, bound to the place they were cut for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pagerd.core.recipients import Recipient
from pagerd.seal.hierarchy import SessionKey

COLUMN = "payload"
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(list[Recipient])


def sealed(key: SessionKey, session: bytes, at: bytes, people: Sequence[Recipient]) -> bytes:
    """Return the sealed payload of a batch."""
    return key.seal(COLUMN, session, at, _ENCODE(people))


def opened(key: SessionKey, session: bytes, at: bytes, blob: bytes) -> list[Recipient]:
    """Return the people of a batch; raise :class:`SealBroken` where the payload stands in another's place."""
    return _DECODER.decode(key.open(COLUMN, session, at, blob))


def place(block: int, seq: int) -> bytes:
    """Return what binds a payload to its place: the block it came in, and its number there."""
    return block.to_bytes(4, "big") + seq.to_bytes(4, "big")
