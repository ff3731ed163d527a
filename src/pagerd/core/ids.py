"""Typed, sortable identifiers: a prefix and a UUIDv7 (RFC 9562, section 5.7) in Crockford's base 32.

A session's identifier is its own; a batch's is its session's with the batch number; a recipient's is its batch's
with the place in it and a tail that only the holder of the index key can compute, so that nobody guesses
neighbours. Identifiers sort by time of creation, as text and as bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from pagerd.core.errors import Missing

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Two digits at a time: the ten bits that they stand for are their place here."""
_VALUES: Final = {c: i for i, c in enumerate(_ALPHABET)} | {"i": 1, "l": 1, "o": 0}

SESSION: Final = "ses"
BATCH: Final = "bat"
RECIPIENT: Final = "rcp"
TEMPLATE: Final = "tpl"
PROVIDER: Final = "prv"
KEY: Final = "key"

TAIL_BYTES: Final = 6


def crockford(raw: bytes) -> str:
    """Return ``raw`` in lower-case Crockford base 32, most significant bits first, without padding."""
    digits, spare, shifts = _laid_out(len(raw))
    number = int.from_bytes(raw, "big") << spare
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in shifts])[:digits]


@lru_cache(maxsize=64)
def _laid_out(size: int) -> tuple[int, int, tuple[int, ...]]:
    """Return for ``size`` bytes: how many digits, how many bits the last pair has to spare, where each pair stands."""
    bits = size * 8
    digits = -(-bits // 5)
    pairs = -(-digits // 2)
    return digits, pairs * 10 - bits, tuple(range((pairs - 1) * 10, -1, -10))


def uncrockford(text: str, size: int) -> bytes:
    """Return the ``size`` bytes that :func:`crockford` wrote; raise :class:`ValueError` for anything else."""
    bits = size * 8
    digits = -(-bits // 5)
    if len(text) != digits or not text.isascii():
        raise ValueError(text)
    number = 0
    for char in text.lower():
        value = _VALUES.get(char)
        if value is None:
            raise ValueError(text)
        number = number << 5 | value
    spare = digits * 5 - bits
    if number & ((1 << spare) - 1):
        raise ValueError(text)
    return (number >> spare).to_bytes(size, "big")


def written(prefix: str, raw: bytes) -> str:
    """Return the identifier of kind ``prefix`` for ``raw``."""
    return f"{prefix}_{crockford(raw)}"


def read(prefix: str, text: str, size: int = 16) -> bytes:
    """Return the bytes of an identifier; a wrong kind or spelling raises :class:`Missing`, as an unknown one would."""
    kind, _, rest = text.partition("_")
    if kind != prefix:
        raise Missing(f"{text!r} is not the identifier of a {prefix}_… object")
    try:
        return uncrockford(rest, size)
    except ValueError:
        raise Missing(f"{text!r} is not an identifier of Pager's") from None


class Place(NamedTuple):
    """Where a recipient stands: session identifier, batch number, index in the batch (from 0)."""

    session: bytes
    no: int
    idx: int


def batch_id(session: bytes, no: int) -> str:
    """Return ``bat_…`` for batch ``no`` (from 1) of a session."""
    return written(BATCH, session + no.to_bytes(4, "big"))


def read_batch_id(text: str) -> tuple[bytes, int]:
    """Return (session, batch number) of ``bat_…``; raise :class:`Missing` for anything else."""
    raw = read(BATCH, text, 20)
    return raw[:16], int.from_bytes(raw[16:], "big")


def recipient_id(place: Place, tail: bytes) -> str:
    """Return ``rcp_…`` for a place, closed by the six bytes that the index key gives for it."""
    # Session and number are 20 bytes, so exactly 32 digits: the same for everybody in a batch.
    front = _batch_front(place.session, place.no)
    return front + crockford(place.idx.to_bytes(2, "big") + tail)


def recipient_ids(session: bytes, no: int, indexes: Iterable[int], tail: Callable[[bytes], bytes]) -> list[str]:
    """Return what :func:`recipient_id` gives for places of one batch; ``tail`` is the index key's."""
    front, base = _batch_front(session, no), session + no.to_bytes(4, "big")
    places = [index.to_bytes(2, "big") for index in indexes]
    return [front + crockford(place + tail(base + place)) for place in places]


@lru_cache(maxsize=64)
def _batch_front(session: bytes, no: int) -> str:
    return written(RECIPIENT, session + no.to_bytes(4, "big"))


def read_recipient_id(text: str) -> tuple[Place, bytes]:
    """Return (place, tail) of ``rcp_…``; the caller compares the tail. Raise :class:`Missing` for anything else."""
    raw = read(RECIPIENT, text, 22 + TAIL_BYTES)
    place = Place(raw[:16], int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:22], "big"))
    return place, raw[22:]


def place_bytes(place: Place) -> bytes:
    """Return the 22 bytes that name a place: what its tail is computed over."""
    return place.session + place.no.to_bytes(4, "big") + place.idx.to_bytes(2, "big")
