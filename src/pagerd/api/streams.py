"""Big bodies: passed on in chunks as they come, unpacked and checked on the way, never held whole.

Whatever breaks (the connection, the packing, the digest, a limit) is raised into the stage that reads the chunks,
so that the part it was storing leaves nothing behind.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from collections.abc import AsyncIterator
from typing import Final

from pagerd.api.calls import Call
from pagerd.api.refusals import Disconnected, UnsupportedMedia
from pagerd.core.errors import Invalid, Malformed, TooLarge

CHUNK: Final = 1 << 16
MAX_RATIO: Final = 200
"""How many times its size a packed body may unpack to; lists of people pack 5 to 30 times."""

_FREE: Final = 1 << 20
"""So much may be unpacked before the ratio is looked at."""

_GZIP: Final = 31
"""zlib's window bits for the gzip format (RFC 1952)."""

_SHA_256: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]*={0,2}):")


async def arriving(call: Call) -> AsyncIterator[bytes]:
    """Yield a body's bytes as the connection brings them; raise :class:`Disconnected` when it breaks."""
    more = True
    while more:
        message = await call.receive()
        if message["type"] != "http.request":
            raise Disconnected
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def limited(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Pass ``chunks`` on; raise :class:`TooLarge` beyond ``limit`` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            detail = f"A part has at most {limit} bytes, unpacked; cut the audience into more parts."
            raise TooLarge(detail, code="upload_too_large")
        yield chunk


async def unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what gzip packed, in pieces of at most 64 KiB; several members in a row are one text (RFC 1952)."""
    inflate = zlib.decompressobj(_GZIP)
    came = went = 0
    async for chunk in chunks:
        came += len(chunk)
        rest = chunk
        while rest:
            if inflate.eof:
                inflate = zlib.decompressobj(_GZIP)
            piece, rest = _piece(inflate, rest)
            went += len(piece)
            if went > max(_FREE, came * MAX_RATIO):
                raise TooLarge(f"The body unpacks to more than {MAX_RATIO} times its size.", code="gzip_ratio")
            if piece:
                yield piece
    last = inflate.flush()
    if came and not inflate.eof:
        raise Malformed("The gzip body ends in the middle.", code="gzip_broken")
    if last:
        yield last


def _piece(inflate: zlib._Decompress, packed: bytes) -> tuple[bytes, bytes]:
    """Return the next piece, and the packed bytes that are still to be looked at."""
    try:
        piece = inflate.decompress(packed, CHUNK)
    except zlib.error:
        raise Malformed("The body says gzip, and is not.", code="gzip_broken") from None
    return piece, inflate.unconsumed_tail or inflate.unused_data


async def verified(chunks: AsyncIterator[bytes], digest: bytes) -> AsyncIterator[bytes]:
    """Pass ``chunks`` on; raise :class:`Invalid` at their end unless their SHA-256 is ``digest``."""
    sum256 = hashlib.sha256()
    async for chunk in chunks:
        sum256.update(chunk)
        yield chunk
    if not hmac.compare_digest(sum256.digest(), digest):
        raise Invalid("The body is not what its Content-Digest says: it changed on the way.", code="digest_mismatch")


def wanted_digest(header: bytes | None) -> bytes | None:
    """Return the SHA-256 of a Content-Digest (RFC 9530, section 2); others in it are ignored."""
    if header is None:
        return None
    found = _SHA_256.search(header.decode("latin-1"))
    try:
        digest = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise Malformed("Content-Digest is written sha-256=:BASE64: (RFC 9530).", code="invalid_digest")
    return digest


def body_of(call: Call, coding: bytes, digest: bytes | None, limit: int) -> tuple[AsyncIterator[bytes], bytes | None]:
    """Return a part's chunks, unpacked, and the digest that its stage is still to check.

    A Content-Digest is over the bytes on the wire. Unpacked here, they are checked here; otherwise the stage, which
    computes the digest of what it stores anyway, compares.
    """
    chunks = arriving(call)
    if coding in (b"", b"identity"):
        return limited(chunks, limit), digest
    if coding not in (b"gzip", b"x-gzip"):
        raise UnsupportedMedia("A part is sent as it is or with Content-Encoding: gzip.", accept_encoding="gzip")
    packed = verified(chunks, digest) if digest is not None else chunks
    return limited(unpacked(packed), limit), None
