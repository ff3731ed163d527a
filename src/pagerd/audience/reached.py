"""An address that was checked, of a channel other than e-mail."""

from __future__ import annotations

import msgspec


class Reached(msgspec.Struct, frozen=True, gc=False):
    """A checked address: what to write to, and the same for all its spellings (blind index, duplicates)."""

    address: str
    normalised: str
