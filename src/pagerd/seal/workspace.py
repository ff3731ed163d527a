"""A workspace's own keys, made once and wrapped by the ring; and the seal over what belongs to no session."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from pagerd.core.errors import SealBroken
from pagerd.ports.keys import KeyRing, KeyStore, WorkspaceKey
from pagerd.ports.time import Clock
from pagerd.seal.blob import KEY_BYTES, Box, key_id_of
from pagerd.seal.index import BlindIndex
from pagerd.seal.wrapping import derived, ring_context

_KEY = "workspace key"
_INDEX = "index key"


class WorkspaceSeal:
    """Seals what belongs to a workspace and to no session: templates, credentials. Older versions still open."""

    def __init__(self, workspace: int, keys: Mapping[int, bytes]) -> None:
        """Hold the workspace's ``keys`` by version; the highest seals."""
        boxes = [_box(workspace, version, keys[version]) for version in sorted(keys)]
        self._boxes = {box.id: box for box in boxes}
        self._newest = boxes[-1]

    def seal(self, column: str, place: bytes, plain: bytes) -> bytes:
        """Return the blob that opens only in this workspace, for the same column and place."""
        return self._newest.seal(column, b"", place, plain)

    def open(self, column: str, place: bytes, blob: bytes) -> bytes:
        """Return what was sealed under any version; raise :class:`SealBroken` as :meth:`Box.open` does."""
        box = self._boxes.get(key_id_of(blob))
        if box is None:
            raise SealBroken(f"a sealed {column} names key {key_id_of(blob).hex()}, which this workspace does not have")
        return box.open(column, b"", place, blob)


class WorkspaceKeys(msgspec.Struct, frozen=True):
    """A workspace's keys, unwrapped: what wraps session keys by version, the seal, and the blind index."""

    wrapping: dict[int, bytes]
    newest: int
    seal: WorkspaceSeal
    index: BlindIndex

    def __repr__(self) -> str:
        return f"WorkspaceKeys(versions={sorted(self.wrapping)})"


async def open_keys(ring: KeyRing, store: KeyStore, clock: Clock, workspace: int) -> WorkspaceKeys:
    """Return a workspace's keys, made on first use; two that make them at once agree on one.

    Raise :class:`SealBroken` where the ring is not the one that wrapped them.
    """
    rows = await store.workspace_keys(workspace)
    if not rows:
        await store.add_workspace_key(await _made(ring, clock, workspace))
        rows = await store.workspace_keys(workspace)
    keys = {row.version: await _unwrapped(ring, row.wrapped, _KEY, row) for row in rows}
    newest = max(rows, key=lambda row: row.version)
    index = BlindIndex(await _unwrapped(ring, newest.wrapped_index, _INDEX, newest))
    wrapping = {version: derived(key, "wrap session keys") for version, key in keys.items()}
    return WorkspaceKeys(wrapping, newest.version, WorkspaceSeal(workspace, keys), index)


async def _made(ring: KeyRing, clock: Clock, workspace: int) -> WorkspaceKey:
    """Return version 1 of a workspace's keys, random and wrapped."""
    return WorkspaceKey(
        workspace=workspace,
        version=1,
        wrapped=await ring.wrap(os.urandom(KEY_BYTES), ring_context(_KEY, workspace, 1)),
        wrapped_index=await ring.wrap(os.urandom(KEY_BYTES), ring_context(_INDEX, workspace, 1)),
        created_at=clock.now(),
    )


async def _unwrapped(ring: KeyRing, wrapped: bytes, purpose: str, row: WorkspaceKey) -> bytes:
    """Return one key of a row, or say which key file is wrong."""
    try:
        return await ring.unwrap(wrapped, ring_context(purpose, row.workspace, row.version))
    except SealBroken as broken:
        raise SealBroken(
            f"the {purpose} (version {row.version}) does not open with this root key: {broken.detail}",
            code="wrong_root_key",
            remedy="put back the root key that this installation was set up with; no other can read its data",
        ) from broken


def _box(workspace: int, version: int, key: bytes) -> Box:
    """Return what seals with one version; its key id spells workspace and version."""
    key_id = b"wsk\0" + workspace.to_bytes(8, "big") + version.to_bytes(4, "big")
    return Box(derived(key, "seal"), key_id, "workspace", workspace)
