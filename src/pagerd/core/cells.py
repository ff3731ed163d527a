"""A batch's state vector: ten bytes a recipient, where all goes well the only record there is.

A cell is ``state, flags, attempt, provider: u8 each; code: u16; not_before: u32`` (UTC epoch seconds), little
endian. ``code`` is a number that the ledger gave a :class:`~pagerd.core.outcomes.Reason`; 0 is none. A batch that
was never claimed and has nothing to say has no vector: all its people are ``pending``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pagerd.core.states import RecipientState

SIZE: Final = 10
_CELL: Final = struct.Struct("<BBBBHI")
_STATES: Final = tuple(RecipientState)

POSSIBLE_DUPLICATE: Final = 0x01
"""Flag: it may have been sent before; set before it is sent again."""


class Cell(NamedTuple):
    """One recipient's state in its batch."""

    state: RecipientState = RecipientState.PENDING
    flags: int = 0
    attempt: int = 0
    provider: int = 0
    code: int = 0
    not_before: int = 0

    @property
    def possible_duplicate(self) -> bool:
        """Whether it may have been sent more than once."""
        return bool(self.flags & POSSIBLE_DUPLICATE)


def fresh(n: int) -> bytes:
    """Return the vector of ``n`` people who are all pending."""
    return bytes(n * SIZE)


def unpack(vec: bytes) -> list[Cell]:
    """Return the cells of a vector, in batch order."""
    return [Cell(_STATES[state], *rest) for state, *rest in _CELL.iter_unpack(vec)]


def pack(cells: Iterable[Cell]) -> bytes:
    """Return the vector of ``cells``."""
    return b"".join(_CELL.pack(*cell) for cell in cells)


def states(vec: bytes) -> Iterator[RecipientState]:
    """Iterate over the states alone."""
    return (_STATES[n] for n in vec[::SIZE])
