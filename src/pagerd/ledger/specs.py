"""The session's spec, sealed with its key."""

from __future__ import annotations

import msgspec

from pagerd.core.policy import SessionSpec
from pagerd.seal.hierarchy import SessionKey

COLUMN = "spec"
_ENCODE = msgspec.json.Encoder().encode
_DECODER = msgspec.json.Decoder(SessionSpec)


def sealed(key: SessionKey, session: bytes, spec: SessionSpec) -> bytes:
    """Return the sealed spec."""
    return key.seal(COLUMN, session, b"", _ENCODE(spec))


def opened(key: SessionKey, session: bytes, blob: bytes) -> SessionSpec:
    """Return the spec; raise :class:`SealBroken` where it stands in another session's place."""
    return _DECODER.decode(key.open(COLUMN, session, b"", blob))
