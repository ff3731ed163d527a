"""What an installation keeps about itself in memory: templates, API keys, providers, reasons, facts."""

from __future__ import annotations

import msgspec

from pagerd.adapters.memory.tables import Journal, Table
from pagerd.core.errors import Conflict
from pagerd.core.outcomes import Reason
from pagerd.ports.store import ApiKeyRow, ProviderRow, QuarantineRow, TemplateRow, VersionRow


class MemoryTemplates:
    """Implements ``ports.store.Templates``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[tuple[int, str], TemplateRow] = Table(journal, TemplateRow)
        self._versions: Table[tuple[int, str, int], VersionRow] = Table(journal, VersionRow)

    def get(self, workspace: int, name: str) -> TemplateRow | None:
        """Return a template, or ``None``."""
        return self._rows.get((workspace, name))

    def page(self, workspace: int, limit: int, after: str) -> list[TemplateRow]:
        """Return templates in order of name, those after ``after``."""
        return [row for row in self._rows.rows() if row.workspace == workspace and row.name > after][:limit]

    def save(self, row: TemplateRow) -> None:
        """Insert or replace a template."""
        self._rows.put((row.workspace, row.name), row)

    def publish(self, row: VersionRow) -> None:
        """Insert a version; the same number again raises :class:`Conflict`."""
        key = (row.workspace, row.name, row.version)
        if key in self._versions:
            raise Conflict(f"version {row.version} of template {row.name} is published already")
        self._versions.put(key, row)

    def version(self, workspace: int, name: str, version: int) -> VersionRow | None:
        """Return a version, or ``None``."""
        return self._versions.get((workspace, name, version))

    def versions(self, workspace: int, name: str) -> list[VersionRow]:
        """Return all versions, newest first."""
        mine = [row for row in self._versions.rows() if (row.workspace, row.name) == (workspace, name)]
        return mine[::-1]


class MemoryApiKeys:
    """Implements ``ports.store.ApiKeys``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[bytes, ApiKeyRow] = Table(journal, ApiKeyRow)

    def add(self, row: ApiKeyRow) -> None:
        """Insert a key."""
        if row.id in self._rows or self.by_digest(row.digest) is not None:
            raise Conflict("there is such a key already")
        self._rows.put(row.id, row)

    def by_digest(self, digest: bytes) -> ApiKeyRow | None:
        """Return the key with this SHA-256, revoked or not, or ``None``."""
        return next((row for row in self._rows.rows() if row.digest == digest), None)

    def all(self, workspace: int) -> list[ApiKeyRow]:
        """Return all keys, newest first."""
        return [row for row in self._rows.rows() if row.workspace == workspace][::-1]

    def revoke(self, workspace: int, id: bytes, at: float) -> bool:
        """Mark a key as revoked; ``False`` if there is none. Twice keeps the first time."""
        row = self._rows.get(id)
        if row is None or row.workspace != workspace:
            return False
        if row.revoked_at is None:
            self._rows.put(id, msgspec.structs.replace(row, revoked_at=at))
        return True


class MemoryProviders:
    """Implements ``ports.store.Providers``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[tuple[int, str], ProviderRow] = Table(journal, ProviderRow)
        self._numbers: Table[int, tuple[int, str]] = Table(journal, tuple[int, str])

    def put(self, row: ProviderRow) -> None:
        """Insert or replace a provider; ``number`` 0 gives it one that no other ever had."""
        number = row.number or self.number(row.workspace, row.name)
        self._rows.put((row.workspace, row.name), msgspec.structs.replace(row, number=number))

    def get(self, workspace: int, name: str) -> ProviderRow | None:
        """Return a provider, or ``None``."""
        return self._rows.get((workspace, name))

    def all(self, workspace: int) -> list[ProviderRow]:
        """Return all providers in order of name."""
        return [row for row in self._rows.rows() if row.workspace == workspace]

    def number(self, workspace: int, name: str) -> int:
        """Return the number by which vectors name a provider, giving it one if it is new."""
        for number, owner in self._numbers.items():
            if owner == (workspace, name):
                return number
        new = len(list(self._numbers)) + 1
        self._numbers.put(new, (workspace, name))
        return new

    def names(self) -> dict[int, str]:
        """Return the names of all numbered providers."""
        return {number: name for number, (_, name) in self._numbers.items()}


class MemoryReasons:
    """Implements ``ports.store.Reasons``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[int, Reason] = Table(journal, Reason)

    def number(self, reason: Reason) -> int:
        """Return the number of a reason, giving it one if it is new."""
        for number, known in self._rows.items():
            if known == reason:
                return number
        new = len(list(self._rows)) + 1
        self._rows.put(new, reason)
        return new

    def all(self) -> dict[int, Reason]:
        """Return every reason by its number."""
        return dict(self._rows.items())


class MemoryFacts:
    """Implements ``ports.store.Facts``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[str, bytes] = Table(journal, bytes)

    def get(self, name: str) -> bytes | None:
        """Return a value, or ``None``."""
        return self._rows.get(name)

    def set(self, name: str, value: bytes) -> None:
        """Keep a value, replacing the old one."""
        self._rows.put(name, value)


class MemoryQuarantine:
    """Implements ``ports.store.Quarantine``."""

    def __init__(self, journal: Journal) -> None:
        self._rows: Table[tuple[str, int, int], QuarantineRow] = Table(journal, QuarantineRow)

    def add(self, row: QuarantineRow) -> None:
        """Keep a record; one from the same place again is harmless."""
        self._rows.put((row.topic, row.partition, row.position), row)

    def newest(self, limit: int) -> list[QuarantineRow]:
        """Return records, the last taken first."""
        return sorted(self._rows.rows(), key=lambda row: (row.taken_at, row.position), reverse=True)[:limit]
