"""``pagerd check``: what is wrong and what to do, found beside a server or before its start. Changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pagerd.cli.server import servers
from pagerd.cli.server.beside import holder, opened
from pagerd.cli.server.looking import looked as _looked
from pagerd.cli.server.migrating import revision_of
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.health.checks import Check

if TYPE_CHECKING:
    from pagerd.seal.hierarchy import Seal


async def check(settings: Settings) -> list[Check]:
    """Return what was found: directory, disk, database, keys, and each provider with a try of its connection."""
    if settings.on_postgres:
        found = await servers.stores(settings)
    else:
        found = await _file(settings)
    found += await servers.between(settings)
    if all(one.ok for one in found):
        found += await _providers(settings)
    return found


async def _file(settings: Settings) -> list[Check]:
    return [
        await _looked("data", _data(settings), "Make the directory, and give it to the user who runs pagerd."),
        await _looked("disk", _disk(settings), "Free some space, or set disk_reserve lower."),
        await _looked("database", _database(settings), "Restore a backup (pagerd restore)."),
        await _looked("keys", _keys(settings), "Restore keys.db and the root key file from where they are kept."),
    ]


def _data(settings: Settings) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        import os

        directory = settings.database().parent.absolute()
        if not directory.exists():
            return f"{directory} is not there yet; the first start makes it"
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise Misconfigured(f"{directory} can't be written by this user")
        user = holder(directory)
        return f"{directory} ({f'a server uses it: pid {user}' if user else 'no server uses it'})"

    return look


def _disk(settings: Settings) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        import shutil

        place = settings.database().parent.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        words = f"{free // 2**20:,} MiB are free; {settings.disk_reserve // 2**20:,} MiB are kept in reserve"
        if free < settings.disk_reserve:
            raise Unavailable(f"{words}: nothing new is admitted", code="disk_low")
        return words

    return look


def _database(settings: Settings) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        from pagerd.adapters.sql.migrate import HEAD

        path = settings.database()
        if not path.exists():
            return f"{path} is not there yet; the first start, or `pagerd migrate`, makes it"
        revision = revision_of(path)
        if revision is not None and revision > HEAD:
            raise Misconfigured(
                f"{path} is of a newer version of Pager (revision {revision}; this program knows {HEAD})",
                remedy="Install the version of pagerd that wrote it.",
            )
        older = "" if revision == HEAD else f"; the next start migrates it to {HEAD}"
        return f"{path}, revision {revision or 'none'}{older}, {path.stat().st_size:,} bytes"

    return look


def _keys(settings: Settings) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        from pagerd.adapters.files.ring import FileKeyRing

        if not settings.database().with_name("keys.db").exists():
            if not settings.root_key().exists():
                return f"none yet: the first start makes {settings.root_key()}"
            await FileKeyRing(settings.root_key()).ping()
            return f"{settings.root_key()} can be read; nothing was sealed with it yet"
        await _seal(settings)
        return f"{settings.root_key()} opens what was sealed"

    return look


async def _seal(settings: Settings) -> Seal:
    """Return the seal; raise where the root key does not open it."""
    from pagerd.adapters.files.ring import FileKeyRing
    from pagerd.adapters.sql.keystore import SqliteKeyStore
    from pagerd.adapters.system.time import SystemClock
    from pagerd.seal.hierarchy import Seal
    from pagerd.wiring.workspace import WORKSPACE

    if settings.on_postgres:
        return await servers.seal(settings)
    store = SqliteKeyStore(settings.database().with_name("keys.db"))
    try:
        return await Seal.open(FileKeyRing(settings.root_key()), store, SystemClock(), WORKSPACE)
    finally:
        await store.aclose()


async def _providers(settings: Settings) -> list[Check]:
    """Return a check for each provider that is configured, here or through the API: it is connected to."""
    if not settings.on_postgres and not _is_ours(settings.database()):
        return [await _looked("providers", _only_named(settings), "")]
    from pagerd.adapters.memory.pace import MemoryPace
    from pagerd.adapters.system.time import SystemChance, SystemClock
    from pagerd.guard.revision import Revision
    from pagerd.route.providers import Providers, Sharing
    from pagerd.wiring.kinds import KINDS
    from pagerd.wiring.workspace import WORKSPACE

    clock, chance = SystemClock(), SystemChance()
    store = await opened(settings, keep=False)
    sharing = Sharing(revision=Revision(store, clock, chance), pace=MemoryPace(clock))
    providers = Providers(store, await _seal(settings), clock, chance, KINDS, loopback_only=False, sharing=sharing)
    try:
        await providers.load(WORKSPACE, settings.drafts())
        said = await providers.ping()
    finally:
        await providers.aclose()
        await store.aclose()
    remedy = "Look at its url and credential, and whether its server is up."
    return [
        Check(name=f"provider {name}", ok=words is None, detail=words or "answers", remedy=remedy if words else "")
        for name, words in said.items()
    ] or [Check(name="providers", ok=True, detail=_NONE)]


_NONE = "none is configured: nothing can be sent before there is one (pagerd dev brings its own)"


def _only_named(settings: Settings) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        names = ", ".join(settings.drafts())
        return f"{names}: tried once there is a database (pagerd migrate)" if names else _NONE

    return look


def _is_ours(database: Path) -> bool:
    from pagerd.adapters.sql.migrate import HEAD

    return revision_of(database) == HEAD and database.with_name("keys.db").exists()


def told(found: list[Check]) -> str:
    """Return what was found, for people: one line each, and what to do where something is wrong."""
    width = max(len(one.name) for one in found)
    lines = []
    for one in found:
        lines.append(f"{'ok   ' if one.ok else 'WRONG'}  {one.name:<{width}}  {one.detail}")
        if not one.ok and one.remedy:
            lines.append(f"{'':5}  {'':<{width}}  do: {one.remedy}")
    return "\n".join(lines)
