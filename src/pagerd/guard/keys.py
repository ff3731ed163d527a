"""API keys: issued once, stored as a hash, asked for with every request, revoked within a second."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from pagerd.core.errors import Fault, Invalid, Missing, Unauthenticated
from pagerd.guard import writing
from pagerd.guard.permissions import known_scopes, read_scopes
from pagerd.guard.principals import Principal
from pagerd.guard.revision import FRESH, Revision
from pagerd.guard.shelf import KeyShelf
from pagerd.ports.store import ApiKeyRow, Store, Work
from pagerd.ports.time import Chance, Clock

_KNOWN: Final = 1024
_LONGEST_NAME: Final = 100


class _Seen(msgspec.Struct, frozen=True):
    """A key as it was when it was last looked up: the moment, and the revision that was known then."""

    row: ApiKeyRow
    principal: Principal
    at: float
    revision: bytes | None


class ApiKeys:
    """Issues, checks and revokes API keys.

    A key that was looked up is believed for a second, and for as long as the installation's revision is known to be
    the same: a revocation is felt within a second everywhere.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        revision: Revision | None = None,
        shelf: KeyShelf | None = None,
    ) -> None:
        """``shelf`` is asked before the store, while the revision is known."""
        self._store = store
        self._clock = clock
        self._chance = chance
        self._revision = revision or Revision(store, clock, chance)
        self._shelf = shelf
        self._seen: dict[bytes, _Seen] = {}

    async def issue(
        self,
        workspace: int,
        name: str,
        scopes: Iterable[str],
        *,
        live: bool = True,
        expires_at: float | None = None,
    ) -> tuple[str, ApiKeyRow]:
        """Return a new key and its row. The key is shown this once: only its hash is kept.

        Raise :class:`Invalid` for a name, a scope or an expiry that can't be.
        """
        now = self._clock.now()
        granted = read_scopes(scopes)
        _check(name, expires_at, now)
        key_id = self._chance.new_id()
        text = writing.new_text(key_id, live=live)
        row = ApiKeyRow(
            id=key_id,
            workspace=workspace,
            name=name,
            digest=writing.digest(text),
            live=live,
            scopes=tuple(sorted(scope.value for scope in granted)),
            created_at=now,
            expires_at=expires_at,
        )
        await self._store.work(lambda work: work.api_keys.add(row))
        return text, row

    async def authenticate(self, header: str | None) -> Principal:
        """Return whose key an ``Authorization`` header carries.

        Raise :class:`Unauthenticated` where it is missing, mistyped, unknown, expired or revoked (the detail says
        which, and only a holder of the whole key learns the last two), :class:`NotSupportedYet` for a test key.
        """
        digest = writing.digest(writing.from_header(header))
        seen = self._seen.get(digest)
        if seen is None or not self._believed(seen):
            seen = await self._look_up(digest)
        _check_valid(seen.row, self._clock.now())
        return seen.principal

    async def list(self, workspace: int) -> list[ApiKeyRow]:
        """Return all keys of a workspace, revoked and expired ones too, newest first."""
        return await self._store.read(lambda work: work.api_keys.all(workspace))

    async def revoke(self, workspace: int, id: bytes) -> None:
        """Revoke a key: here at once, in other processes within a second. Twice is harmless; none: :class:`Missing`."""
        now = self._clock.now()

        def change(work: Work) -> bool:
            self._revision.mark(work)
            return work.api_keys.revoke(workspace, id, now)

        if not await self._store.work(change):
            raise Missing("there is no such key")
        self._seen.clear()
        await self._revision.tell()

    def _believed(self, seen: _Seen) -> bool:
        """Tell whether a key is certainly as it was less than a second ago."""
        known = self._revision.known
        return (known is not None and seen.revision == known) or self._clock.monotonic() - seen.at < FRESH

    async def _look_up(self, digest: bytes) -> _Seen:
        """Ask shelf and store for a key, and remember it for a while."""
        seen = await self._shelved(digest) or await self._stored(digest)
        if len(self._seen) >= _KNOWN:
            self._seen.clear()
        self._seen[digest] = seen
        return seen

    async def _shelved(self, digest: bytes) -> _Seen | None:
        """Return a key from the shelf, believed for as long as its revision is and not a moment longer."""
        revision = self._revision.known
        if self._shelf is None or revision is None:
            return None
        row = await self._shelf.get(revision, digest)
        return None if row is None else _Seen(row, _principal(row), float("-inf"), revision)

    async def _stored(self, digest: bytes) -> _Seen:
        """Return a key from the store; raise :class:`Unauthenticated` where there is none."""
        at, revision = self._clock.monotonic(), self._revision.known  # as they were before the row was read
        row = await self._store.read(lambda work: work.api_keys.by_digest(digest))
        if row is None or not hmac.compare_digest(row.digest, digest):
            self._seen.pop(digest, None)
            raise Unauthenticated("this key is not known here")
        if self._shelf is not None and revision is not None:
            await self._shelf.put(revision, row)
        return _Seen(row, _principal(row), at, revision)


def _principal(row: ApiKeyRow) -> Principal:
    """Return who a key speaks for."""
    return Principal(
        workspace=row.workspace, key_id=row.id, name=row.name, live=row.live, scopes=known_scopes(row.scopes)
    )


def _check_valid(row: ApiKeyRow, now: float) -> None:
    """Refuse a key that was revoked or whose time is over."""
    if row.revoked_at is not None:
        raise Unauthenticated(f"this key was revoked on {_day(row.revoked_at)}")
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthenticated(f"this key expired on {_day(row.expires_at)}")


def _check(name: str, expires_at: float | None, now: float) -> None:
    """Refuse a key that could not be told from others, or that would never have been valid."""
    faults = []
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        words = f"a key needs a name of 1 to {_LONGEST_NAME} printable characters"
        faults.append(Fault(code="bad_name", detail=words, pointer="/name"))
    if expires_at is not None and expires_at <= now:
        faults.append(Fault(code="in_the_past", detail="the expiry is in the past", pointer="/expires_at"))
    if faults:
        raise Invalid(faults=faults)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
