"""API keys on a shelf that processes share, so that not each of them asks the store."""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.core.errors import SealBroken
from pagerd.ports.cache import Cache
from pagerd.ports.store import ApiKeyRow
from pagerd.seal.workspace import WorkspaceSeal

_COLUMN: Final = "cache.api_key"
_TTL: Final = 300.0
_read: Final = msgspec.msgpack.Decoder(ApiKeyRow).decode


class KeyShelf:
    """Rows of API keys by digest and revision: a change of any key makes all that stand here unreachable.

    They are sealed, bound to both: whoever can write to the cache can neither make a key nor bring one back.
    """

    def __init__(self, cache: Cache, seal: WorkspaceSeal) -> None:
        self._cache = cache
        self._seal = seal

    async def get(self, revision: bytes, digest: bytes) -> ApiKeyRow | None:
        """Return a key as it was at a revision; ``None`` where it has to be looked up."""
        sealed = await self._cache.get(_name(revision, digest))
        if sealed is None:
            return None
        try:
            return _read(self._seal.open(_COLUMN, revision + digest, sealed))
        except (SealBroken, msgspec.MsgspecError):
            return None

    async def put(self, revision: bytes, row: ApiKeyRow) -> None:
        """Keep a key that was read from the store when ``revision`` was known already."""
        sealed = self._seal.seal(_COLUMN, revision + row.digest, msgspec.msgpack.encode(row))
        await self._cache.set(_name(revision, row.digest), sealed, _TTL)


def _name(revision: bytes, digest: bytes) -> str:
    return f"key:{revision.hex()}:{digest.hex()}"
