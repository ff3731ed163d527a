"""The restore guard: tells a database that went on from one that was put back.

Each start gives the database a new epoch and notes it in a file beside. A database whose epoch the file does not
know comes from a backup: what it thinks is to be sent may have been sent long ago. The file is written before and
after the database, so that a crash in between is not taken for a restore.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from pagerd.ports.store import Store, Work

_FACT: Final = "epoch"
RESTORED: Final = b"restored"
"""The epoch that a backup carries: no file ever knows it."""


def mark_restored(work: Work) -> None:
    """Give a copy the epoch of a backup, within a transaction on it: whoever starts from it starts paused."""
    work.facts.set(_FACT, RESTORED)


class Epoch:
    """The epoch of one database file."""

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(database.name + ".epoch")

    async def begin(self, store: Store, if_restored: Callable[[Store], Awaitable[object]] | None = None) -> bool:
        """Begin a new epoch; return whether the database was restored since the last one.

        ``if_restored`` is done before the new epoch begins: a crash in it, and the next start does it again.
        """
        known = self._known()
        last = await store.read(lambda work: work.facts.get(_FACT))
        restored = last is not None and last not in known
        if restored and if_restored is not None:
            await if_restored(store)
        new = secrets.token_hex(16).encode()
        self._note([*([last] if last in known else []), new])

        def change(work: Work) -> None:
            work.facts.set(_FACT, new)

        await store.work(change)
        self._note([new])
        return restored

    def _known(self) -> list[bytes]:
        try:
            return self._file.read_bytes().split()
        except FileNotFoundError:
            return []

    def _note(self, epochs: list[bytes]) -> None:
        fresh = self._file.with_suffix(".epoch.new")
        with fresh.open("wb") as file:
            file.write(b"\n".join(epochs) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)
        directory = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
