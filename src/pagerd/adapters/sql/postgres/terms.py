"""For whom and for how long a claim is made, and what it hands to a worker."""

from __future__ import annotations

import msgspec

from pagerd.core.batches import BatchKey, Claim


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims, for how many seconds, what time it is, and the numbers of the reasons claims give."""

    worker: bytes
    length: float
    now: float
    held: int
    poison: int


def claim_of(
    key: tuple[int, int], token: int, vec: bytes, payload: bytes | None, payload_at: bytes, losses: int, round_: int
) -> Claim:
    """Return the claim that a row tells of; an erased payload is empty."""
    return Claim(
        key=BatchKey(*key),
        token=token,
        vec=vec,
        payload=payload or b"",
        payload_at=payload_at,
        losses=losses,
        round=round_,
    )


def place(block: int, seq: int) -> bytes:
    """Return what the seal of a payload is bound to."""
    return block.to_bytes(4, "big") + seq.to_bytes(4, "big")
