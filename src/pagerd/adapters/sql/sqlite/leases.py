"""For whom a claim is made."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims, until when the claim is theirs, what time it is, and the numbers of the reasons claims give."""

    worker: bytes
    until: float
    now: float
    held: int
    poison: int
