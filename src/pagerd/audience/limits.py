"""How much of everything a reader takes: an audience file is the work of a stranger."""

from __future__ import annotations

from typing import Final

SLAB_BYTES: Final = 65_536
"""Readers work in slabs of whole lines of about this size, however the network cut them: memory stays flat."""

ROW_BYTES: Final = 1_048_576
"""The longest line of NDJSON in bytes, and the longest record of CSV in characters."""

CELL_CHARS: Final = 65_536
"""The longest cell of CSV."""

COLUMNS: Final = 500
"""The most columns of CSV."""

ID_CHARS: Final = 255
"""The longest ``id`` of a recipient."""

DATA_DEPTH: Final = 16
"""How deep lists and objects may nest in a person's data."""

RAW_CHARS: Final = 500
"""How much of a row that could not be read is kept for people to look at."""

ADDRESS_OCTETS: Final = 254
"""The longest address (RFC 5321, 4.5.3.1.3, less its angle brackets)."""

LOCAL_OCTETS: Final = 64
"""The longest local part (RFC 5321, 4.5.3.1.1)."""

LABEL_OCTETS: Final = 63
"""The longest label of a domain (RFC 1035, 2.3.4)."""

LIKENESS: Final = 0.75
"""How much of a strange name must be the same as a known one before it is taken for a misspelling of it."""
