"""What every key ring promises; an adapter joins with one line in ``MAKERS``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pagerd.adapters.files.ring import FileKeyRing
from pagerd.adapters.memory.keys import MemoryKeyRing
from pagerd.core.errors import SealBroken
from pagerd.ports.keys import KeyRing


def memory(folder: Path) -> KeyRing:
    return MemoryKeyRing()


def file(folder: Path) -> KeyRing:
    ring = FileKeyRing(folder / f"{os.urandom(4).hex()}.key")
    ring.create()
    return ring


MAKERS: dict[str, Callable[[Path], KeyRing]] = {
    "memory": memory,
    "file": file,
}
KEY, CONTEXT = bytes(range(32)), b"workspace 1"


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyRing]:
    return lambda: MAKERS[request.param](tmp_path)


@pytest.fixture
def ring(make: Callable[[], KeyRing]) -> KeyRing:
    return make()


@pytest.mark.parametrize("key", [KEY, b"", b"\0" * 16, bytes(64)], ids=["32", "empty", "zeros", "64"])
async def test_what_is_wrapped_unwraps(ring: KeyRing, key: bytes) -> None:
    assert await ring.unwrap(await ring.wrap(key, CONTEXT), CONTEXT) == key


async def test_the_key_does_not_show(ring: KeyRing) -> None:
    wrapped = await ring.wrap(KEY, CONTEXT)
    assert KEY[:8] not in wrapped
    assert await ring.wrap(KEY, CONTEXT) != wrapped


async def test_another_context_fails(ring: KeyRing) -> None:
    wrapped = await ring.wrap(KEY, CONTEXT)
    with pytest.raises(SealBroken):
        await ring.unwrap(wrapped, b"workspace 2")


async def test_another_ring_fails(ring: KeyRing, make: Callable[[], KeyRing]) -> None:
    wrapped = await ring.wrap(KEY, CONTEXT)
    with pytest.raises(SealBroken):
        await make().unwrap(wrapped, CONTEXT)


async def test_every_flipped_byte_fails(ring: KeyRing) -> None:
    wrapped = await ring.wrap(KEY, CONTEXT)
    for at in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            await ring.unwrap(bytes(changed), CONTEXT)


async def test_every_truncation_fails(ring: KeyRing) -> None:
    wrapped = await ring.wrap(KEY, CONTEXT)
    for size in range(len(wrapped)):
        with pytest.raises(SealBroken):
            await ring.unwrap(wrapped[:size], CONTEXT)


async def test_it_answers(ring: KeyRing) -> None:
    await ring.ping()
