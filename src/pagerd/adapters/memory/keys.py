"""A key ring and a key store in memory."""

from __future__ import annotations

import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pagerd.core.errors import SealBroken
from pagerd.ports.keys import WorkspaceKey, WrappedKey


class MemoryKeyRing:
    """A root key that is forgotten with the process."""

    def __init__(self, root: bytes | None = None) -> None:
        """Use ``root`` (32 bytes), or a random key."""
        self._aead = AESGCM(root or os.urandom(32))

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return ``key`` wrapped, bound to ``context``."""
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key; raise :class:`SealBroken` for another context, another ring, or a changed byte."""
        try:
            return self._aead.decrypt(wrapped[:12], wrapped[12:], context)
        except (InvalidTag, ValueError):
            raise SealBroken("the root key in memory did not wrap this, or not for this use") from None

    async def ping(self) -> None:
        """Return at once."""


class MemoryKeyStore:
    """Wrapped keys as the bytes that a real store would keep."""

    def __init__(self) -> None:
        self._workspaces: dict[tuple[int, int], bytes] = {}
        self._keys: dict[bytes, bytes] = {}

    async def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first."""
        mine = sorted(key for key in self._workspaces if key[0] == workspace)
        return [msgspec.msgpack.decode(self._workspaces[key], type=WorkspaceKey) for key in mine]

    async def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if it is already there."""
        name = (key.workspace, key.version)
        if name in self._workspaces:
            return False
        self._workspaces[name] = msgspec.msgpack.encode(key)
        return True

    async def put(self, key: WrappedKey) -> None:
        """Keep a session key."""
        self._keys.setdefault(key.key_id, msgspec.msgpack.encode(key))

    async def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key, or ``None``."""
        row = self._keys.get(key_id)
        return None if row is None else msgspec.msgpack.decode(row, type=WrappedKey)

    async def drop(self, key_id: bytes) -> None:
        """Shred a session key."""
        self._keys.pop(key_id, None)

    async def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``."""
        rows = [msgspec.msgpack.decode(row, type=WrappedKey) for row in self._keys.values()]
        return sorted(r.key_id for r in rows if r.created_at < created_before and r.key_id > after)[:limit]

    async def ping(self) -> None:
        """Return at once."""
