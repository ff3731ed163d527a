"""How an API key is written, so that people, programs and scanners for leaked secrets recognise one.

::

    pgr_live_<id: 26>_<secret: 52>_<checksum: 7>        pgr_test_… for the simulator

Id (a UUIDv7), secret (256 random bits) and checksum (CRC-32 of everything before its underscore) are in lower-case
Crockford base 32. The id may be shown; the checksum tells a mistyped or shortened key from an unknown one without
asking the database; only the SHA-256 of the whole text is ever stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from typing import Final

from pagerd.core.errors import NotSupportedYet, Unauthenticated
from pagerd.core.ids import crockford

LIVE: Final = "pgr_live_"
TEST: Final = "pgr_test_"
_SHAPE: Final = re.compile(r"pgr_(?:live|test)_[0-9a-hjkmnp-tv-z]{26}_[0-9a-hjkmnp-tv-z]{52}_[0-9a-hjkmnp-tv-z]{7}")


def new_text(key_id: bytes, *, live: bool) -> str:
    """Return a new key: whoever has this text is let in; it can't be computed again."""
    body = f"{LIVE if live else TEST}{crockford(key_id)}_{crockford(secrets.token_bytes(32))}"
    return f"{body}_{_checksum(body)}"


def digest(text: str) -> bytes:
    """Return what is stored of a key: its SHA-256. It needs no salt and no slowness: nobody guesses 256 bits."""
    return hashlib.sha256(text.encode()).digest()


def from_header(header: str | None) -> str:
    """Return the well-written live key of an ``Authorization`` header (RFC 6750, section 2.1).

    Raise :class:`Unauthenticated` with words that say what is wrong and never what was sent, and
    :class:`NotSupportedYet` for a test key.
    """
    if not header:
        raise Unauthenticated("there is no key: send the header `Authorization: Bearer pgr_live_…`")
    scheme, _, rest = header.partition(" ")
    text = rest.strip()
    if scheme.lower() != "bearer" or not text:
        raise Unauthenticated("the Authorization header must read `Bearer pgr_live_…`")
    if text.startswith(TEST):
        raise NotSupportedYet("test keys are not supported yet: use a live key")
    if not text.startswith(LIVE):
        raise Unauthenticated("this is not a key of Pager's: those begin with pgr_live_")
    if not _SHAPE.fullmatch(text) or _checksum(text[:-8]) != text[-7:]:
        raise Unauthenticated("the key is mistyped or cut off: its checksum is wrong")
    return text


def _checksum(body: str) -> str:
    """Return the last seven characters of a key."""
    return crockford(zlib.crc32(body.encode()).to_bytes(4, "big"))
