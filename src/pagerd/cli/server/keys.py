"""``pagerd keys``: the root key file, and the API keys of the installation."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pagerd.cli.server.beside import Beside, opened
from pagerd.config import Settings
from pagerd.core import ids
from pagerd.core.errors import Misconfigured

if TYPE_CHECKING:
    from pagerd.cli.server.shared import BesideOthers
    from pagerd.ports.store import ApiKeyRow

ALL: Final = "all"
_DAY: Final = 86_400.0


def create(settings: Settings) -> str:
    """Make the root key file; return what to do with it."""
    from pagerd.adapters.files.ring import FileKeyRing

    path = settings.root_key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Misconfigured(
            f"the folder {path.parent} can't be made: {error.strerror}", code="data_directory"
        ) from error
    FileKeyRing(path).create()
    return (
        f"A new root key is in {path}, readable by you alone.\n"
        "Keep a copy in a safe place, apart from backups: without it nobody can read what the installation sealed."
    )


async def issue(settings: Settings, name: str, scopes: Sequence[str], days: float | None, save: Path | None) -> None:
    """Make an API key and print it, this once; or write it to a file that only its owner can read."""
    from pagerd.adapters.system.time import SystemChance, SystemClock
    from pagerd.guard.keys import ApiKeys
    from pagerd.guard.permissions import EVERY, OF_A_KEY
    from pagerd.wiring.workspace import WORKSPACE

    clock = SystemClock()
    granted = EVERY if ALL in scopes else scopes or OF_A_KEY
    expires_at = None if days is None else clock.now() + days * _DAY
    store = await _made(settings)
    try:
        text, row = await ApiKeys(store, clock, SystemChance()).issue(WORKSPACE, name, granted, expires_at=expires_at)
    finally:
        await store.aclose()
    _note(f"{ids.written(ids.KEY, row.id)} {name!r} may: {', '.join(row.scopes)}")
    if save is None:
        _note("This is the only time that the key is shown:")
        print(text)
    else:
        _save(save, text)
        _note(f"The key is in {save}, readable by you alone.")


async def show(settings: Settings) -> None:
    """Print every key: what it is called, what it may, and whether it still may."""
    from pagerd.wiring.workspace import WORKSPACE

    store = await opened(settings, keep=False)
    try:
        rows = await store.read(lambda work: work.api_keys.all(WORKSPACE))
    finally:
        await store.aclose()
    for row in rows:
        print(f"{ids.written(ids.KEY, row.id)}  {_state(row):<24}  {row.name}  ({len(row.scopes)} scopes)")
    if not rows:
        _note("There is no key yet. Make one: pagerd keys issue --name NAME")


async def revoke(settings: Settings, key: str) -> None:
    """Revoke a key; a server that runs feels it within a second."""
    from pagerd.adapters.system.time import SystemChance, SystemClock
    from pagerd.guard.keys import ApiKeys
    from pagerd.wiring.workspace import WORKSPACE

    raw = ids.read(ids.KEY, key)
    store = await opened(settings, keep=True)
    try:
        await ApiKeys(store, SystemClock(), SystemChance()).revoke(WORKSPACE, raw)
    finally:
        await store.aclose()
    _note(f"{key} is revoked; a server that runs feels it within a second.")


async def _made(settings: Settings) -> Beside | BesideOthers:
    """Return the store, made and migrated where no server has done so."""
    from pagerd.cli.server.migrating import migrate, needs_migration

    if not settings.on_postgres and needs_migration(settings):
        await migrate(settings)
    return await opened(settings, keep=True)


def _state(row: ApiKeyRow) -> str:
    if row.revoked_at is not None:
        return f"revoked {_day(row.revoked_at)}"
    if row.expires_at is not None:
        return f"until {_day(row.expires_at)}"
    return "valid"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _save(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured(f"{path} can't be made: {error.strerror}; the key is lost, revoke it") from error
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")


def _note(words: str) -> None:
    print(words, file=sys.stderr)
