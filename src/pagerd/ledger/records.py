"""The attempt record: what a provider said in one window of one batch, sealed, never changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pagerd.core.outcomes import Outcome
from pagerd.seal.hierarchy import SessionKey

COLUMN = "attempt"


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What was said about one recipient; ``reason`` names who caused a refusal before the provider was asked."""

    idx: int
    kind: str
    code: str
    text: str
    reference: str
    started: float
    ended: float


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One window: the round, the provider's number (0: none was asked), and what was said."""

    round: int
    provider: int
    said: list[Said]


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(Record)


def sealed(
    key: SessionKey, session: bytes, at: bytes, round_: int, provider: int, outcomes: Sequence[Outcome]
) -> bytes:
    """Return the sealed record of a window; ``at`` is its :func:`place`."""
    # Tuples in the order of the structs' fields: the same bytes, made quicker.
    said = [(o.place, o.kind, o.code, o.text, o.reference, o.started, o.ended) for o in outcomes]
    return key.seal(COLUMN, session, at, _ENCODE((round_, provider, said)))


def opened(key: SessionKey, session: bytes, at: bytes, blob: bytes) -> Record:
    """Return a record; raise :class:`SealBroken` where it stands in another's place."""
    return _DECODER.decode(key.open(COLUMN, session, at, blob))


def place(no: int, token: int, window: int) -> bytes:
    """Return what binds a record to its batch, claim and window."""
    return no.to_bytes(4, "big") + token.to_bytes(4, "big") + window.to_bytes(2, "big")
