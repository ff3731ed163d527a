"""The key hierarchy: root key (the ring) → workspace key → session keys.

::

    root key       ── wraps ──►   workspace key, by version; index key
    workspace key  ── AES-KW ──►  session key, random, in a store of its own
    session key    ── AES-256-GCM, random nonce ──►  batch payloads and all else of a session

A session key is durable before anything is sealed with it, and shredding it makes everything it sealed unreadable,
in Kafka and in backups too.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from typing import Final

from pagerd.core.errors import Gone, SealBroken
from pagerd.ports.keys import KeyRing, KeyStore, WrappedKey
from pagerd.ports.time import Clock
from pagerd.seal.blob import KEY_BYTES, KEY_ID_BYTES, Box
from pagerd.seal.workspace import WorkspaceKeys, open_keys
from pagerd.seal.wrapping import unwrap, wrap

HELD: Final = 1024
"""How many session keys a process keeps unwrapped."""

_HOUR: Final = 3600


class SessionKey(Box):
    """The key of one session, or of one hour's messages: ``id``, ``seal`` and ``open``."""

    __slots__ = ()


class Seal:
    """What a process can seal and open in one workspace."""

    def __init__(self, store: KeyStore, clock: Clock, workspace: int, keys: WorkspaceKeys) -> None:
        """Use :meth:`open`."""
        self._store = store
        self._clock = clock
        self._workspace = workspace
        self._keys = keys
        self.workspace: Final = keys.seal
        self.index: Final = keys.index
        self._held: OrderedDict[bytes, SessionKey] = OrderedDict()
        self._shreds = 0
        self._hour: tuple[int, SessionKey] | None = None
        self._hour_turns = asyncio.Lock()

    @classmethod
    async def open(cls, ring: KeyRing, store: KeyStore, clock: Clock, workspace: int) -> Seal:
        """Return the seal of a workspace, its keys made on first use.

        Raise :class:`SealBroken` with the remedy where the ring holds another root key than the one that wrapped
        them, :class:`Misconfigured` where it holds none.
        """
        return cls(store, clock, workspace, await open_keys(ring, store, clock, workspace))

    async def new_session_key(self) -> SessionKey:
        """Return a new random key, durable in the key store."""
        key_id, key = os.urandom(KEY_ID_BYTES), os.urandom(KEY_BYTES)
        version = self._keys.newest
        wrapped = wrap(self._keys.wrapping[version], key_id, key)
        await self._store.put(
            WrappedKey(
                key_id=key_id,
                workspace=self._workspace,
                version=version,
                wrapped=wrapped,
                created_at=self._clock.now(),
            )
        )
        return self._hold(SessionKey(key, key_id, "session", self._workspace))

    async def session_key(self, key_id: bytes) -> SessionKey:
        """Return a key by its id; raise :class:`Gone` when it was shredded or never was."""
        held = self._held.get(key_id)
        if held is not None:
            self._held.move_to_end(key_id)
            return held
        shreds = self._shreds
        row = await self._store.get(key_id)
        if row is None:
            raise Gone("the key was shredded: what it sealed can't be read any more", code="key_shredded")
        key = self._unwrapped(row)
        return self._hold(key) if shreds == self._shreds else key

    async def hourly_key(self) -> SessionKey:
        """Return the key that a process's single messages share in this UTC hour; many callers at once make one."""
        hour = int(self._clock.now() // _HOUR)
        if self._hour is None or self._hour[0] != hour:
            async with self._hour_turns:
                if self._hour is None or self._hour[0] != hour:
                    self._hour = (hour, await self.new_session_key())
        return self._hour[1]

    async def shred(self, key_id: bytes) -> None:
        """Destroy a session key, durably; what it sealed is unreadable from now on. Twice is harmless."""
        await self._store.drop(key_id)
        self._shreds += 1  # a key that is being read right now is not kept
        self._held.pop(key_id, None)
        if self._hour is not None and self._hour[1].id == key_id:
            self._hour = None

    async def keys_older_than(self, created_before: float, after: bytes, limit: int) -> list[bytes]:
        """Return the ids of session keys made before a time, sorted, those greater than ``after``."""
        return await self._store.older_than(created_before, after, limit)

    def _hold(self, key: SessionKey) -> SessionKey:
        """Keep a key unwrapped; the one longest unused gives way."""
        self._held[key.id] = key
        self._held.move_to_end(key.id)
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        return key

    def _unwrapped(self, row: WrappedKey) -> SessionKey:
        """Return the key of a row of the key store."""
        if row.workspace != self._workspace:
            raise SealBroken(f"session key {row.key_id.hex()} belongs to another workspace")
        wrapping = self._keys.wrapping.get(row.version)
        if wrapping is None:
            raise SealBroken(f"version {row.version} of the workspace key, which wrapped a session key, is not here")
        return SessionKey(unwrap(wrapping, row.key_id, row.wrapped), row.key_id, "session", self._workspace)
