"""Whose turn it is: of several relays over one store, one works. Two at once would only publish twice."""

from __future__ import annotations

from typing import Final

import msgspec

from pagerd.ports.store import Store, Work
from pagerd.ports.time import Clock

_FACT: Final = "relay"
_LENGTH: Final = 5.0


class _Held(msgspec.Struct, frozen=True, array_like=True):
    """Who relays, and until when (UTC epoch seconds)."""

    who: bytes
    until: float


_NOBODY: Final = _Held(b"", 0.0)
_DECODER: Final = msgspec.msgpack.Decoder(_Held)


class Turn:
    """One process's share in the relaying. A clock that is wrong costs a second copy of a record, or some seconds."""

    def __init__(self, store: Store, clock: Clock, who: bytes) -> None:
        """``who`` is this process's name."""
        self._store = store
        self._clock = clock
        self._who = who
        self._until = 0.0

    async def mine(self) -> bool:
        """Return whether this process is to relay now; it stays so for some seconds."""
        now = self._clock.now()
        if now < self._until - _LENGTH / 2:
            return True

        def change(work: Work) -> bool:
            held = _held(work)
            if held.who != self._who and held.until > now:
                return False
            work.facts.set(_FACT, msgspec.msgpack.encode(_Held(self._who, now + _LENGTH)))
            return True

        mine = await self._store.work(change)
        self._until = now + _LENGTH if mine else 0.0
        return mine

    async def end(self) -> None:
        """Let another process relay at once."""
        self._until = 0.0

        def change(work: Work) -> None:
            if _held(work).who == self._who:
                work.facts.set(_FACT, msgspec.msgpack.encode(_NOBODY))

        await self._store.work(change)


def _held(work: Work) -> _Held:
    raw = work.facts.get(_FACT)
    return _NOBODY if raw is None else _DECODER.decode(raw)
