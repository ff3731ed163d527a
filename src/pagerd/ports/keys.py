"""Where keys sleep: the ring that wraps them, and the store that keeps them wrapped."""

from __future__ import annotations

from typing import Protocol

import msgspec


class KeyRing(Protocol):
    """Holds root keys that never leave it; wraps and unwraps other keys, bound to a context."""

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return ``key`` wrapped under the newest root key, so that only the same ``context`` unwraps it."""
        ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key; raise :class:`SealBroken` for another context, another ring, or a changed byte."""
        ...

    async def ping(self) -> None:
        """Return when the ring can be used; raise :class:`Misconfigured` with the reason and the remedy if not."""
        ...


class WorkspaceKey(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace's key of one version, and its index key; both wrapped by the ring."""

    workspace: int
    version: int
    wrapped: bytes
    wrapped_index: bytes
    created_at: float


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A session's key, wrapped by the workspace key of ``version``."""

    key_id: bytes
    workspace: int
    version: int
    wrapped: bytes
    created_at: float


class KeyStore(Protocol):
    """Keeps wrapped keys, apart from what they open. What a method has returned survives a power loss."""

    async def workspace_keys(self, workspace: int) -> list[WorkspaceKey]:
        """Return every version, oldest first; an unknown workspace has none."""
        ...

    async def add_workspace_key(self, key: WorkspaceKey) -> bool:
        """Keep a version; ``False`` if that version is already there (the one there stays)."""
        ...

    async def put(self, key: WrappedKey) -> None:
        """Keep a session key; the same again is harmless."""
        ...

    async def get(self, key_id: bytes) -> WrappedKey | None:
        """Return a session key; ``None`` when it was shredded or never was."""
        ...

    async def drop(self, key_id: bytes) -> None:
        """Shred a session key; one that is not there is harmless."""
        ...

    async def older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return key ids created before a time, sorted, those greater than ``after``: for the reaper of orphans."""
        ...

    async def ping(self) -> None:
        """Return when the store can be read."""
        ...
