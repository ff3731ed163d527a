"""The providers of a workspace: those of the configuration file, and those that the API keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pagerd.core.errors import Conflict, Fault, Invalid, Missing
from pagerd.core.policy import Channel
from pagerd.core.requests import Asker, ProviderDraft
from pagerd.core.views import ProviderKindView, ProviderView
from pagerd.ports.provider import Provider, ProviderKind
from pagerd.ports.store import ProviderRow, Store, Work
from pagerd.ports.time import Chance, Clock
from pagerd.route.carrier import Carrier
from pagerd.seal.hierarchy import Seal

_COLUMN: Final = "credential"
_MOST_NAMES: Final = 255
"""A vector names a provider by one byte, and never forgets."""
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Providers:
    """Opens, keeps and chooses providers."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        clock: Clock,
        chance: Chance,
        kinds: Mapping[str, ProviderKind],
        *,
        loopback_only: bool,
    ) -> None:
        """``loopback_only`` refuses providers that would leave this machine: what ``pagerd dev`` wants."""
        self._store = store
        self._seal = seal
        self._clock = clock
        self._chance = chance
        self._kinds = kinds
        self._loopback_only = loopback_only
        self._carriers: dict[str, Carrier] = {}
        self._views: dict[str, ProviderView] = {}
        self._from_file: set[str] = set()
        self._retired: list[Provider] = []

    async def load(self, workspace: int, from_file: Mapping[str, ProviderDraft]) -> None:
        """Open the providers of the configuration file and of the store; the file's win."""
        for name, draft in from_file.items():
            number = await self._number(workspace, name)
            credential = draft.credential if isinstance(draft.credential, str) else None
            self._open(name, draft, credential, number, managed_by="file")
            self._from_file.add(name)
        for row in await self._store.read(lambda work: work.providers.all(workspace)):
            if row.name not in self._from_file:
                self._open_row(row)

    def kinds(self) -> list[ProviderKindView]:
        """Return the kinds that can be made, each with the JSON Schema of its settings."""
        return [
            ProviderKindView(kind=k.name, channel=k.channel.value, settings_schema=msgspec.json.schema(k.settings))
            for k in self._kinds.values()
        ]

    async def all(self, asker: Asker) -> list[ProviderView]:
        """Return all providers in order of name."""
        del asker
        return [self._shown(name) for name in sorted(self._views)]

    async def get(self, asker: Asker, name: str) -> ProviderView:
        """Return one provider; raise :class:`Missing`."""
        del asker
        return self._shown(name)

    async def put(self, asker: Asker, name: str, draft: ProviderDraft) -> ProviderView:
        """Make or replace a provider; raise :class:`Conflict` for one that the configuration file manages."""
        self._mine(name)
        if not name or len(name) > 64 or not set(name) <= _NAME_CHARS:
            raise Invalid(
                f"{name!r} is no name for a provider: lower-case letters, digits, - and _, at most 64",
                code="name_invalid",
            )
        workspace = asker.workspace
        old = await self._store.read(lambda work: work.providers.get(workspace, name))
        credential = self._credential(draft, old)
        number = await self._number(workspace, name)
        self._open(name, draft, credential, number, managed_by="api")
        self._carriers[name].paused = old.paused if old else None  # a change is no resume
        now = self._clock.now()
        kept = None if credential is None else self._seal.workspace.seal(_COLUMN, name.encode(), credential.encode())
        row = ProviderRow(
            id=old.id if old else self._chance.new_id(),
            workspace=workspace,
            name=name,
            number=number,
            kind=draft.kind,
            channel=self._kinds[draft.kind].channel,
            settings=msgspec.json.encode(draft.settings | ({"from": draft.sender} if draft.sender else {})),
            credential=kept,
            enabled=draft.enabled,
            paused=old.paused if old else None,
            created_at=old.created_at if old else now,
            updated_at=now,
        )
        await self._store.work(lambda work: work.providers.put(row))
        return self._shown(name)

    async def pause(self, asker: Asker, name: str, reason: str | None) -> ProviderView:
        """Send nothing by it until somebody resumes it. Repeating is harmless."""
        return await self._set_paused(asker, name, reason or "paused by a person")

    async def resume(self, asker: Asker, name: str) -> ProviderView:
        """Use it again. Repeating is harmless."""
        return await self._set_paused(asker, name, None)

    async def test(self, asker: Asker, name: str) -> ProviderView:
        """Return the provider after its peer answered and took the credential; raise :class:`Unavailable` if not."""
        del asker
        await self._carrier(name).provider.ping()
        return self._shown(name)

    def choose(self, channel: Channel) -> Carrier | None:
        """Return the provider of a channel: the first by name that is enabled, the file's before the API's."""
        usable = [
            (name not in self._from_file, name)
            for name, carrier in self._carriers.items()
            if carrier.provider.channel is channel and self._views[name].enabled
        ]
        return self._carriers[min(usable)[1]] if usable else None

    async def ping(self) -> dict[str, str | None]:
        """Return for each provider ``None`` where it answers, or words where it does not."""
        said: dict[str, str | None] = {}
        for name, carrier in self._carriers.items():
            try:
                await carrier.provider.ping()
                said[name] = None
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what people need to read
                said[name] = str(error)
        return said

    async def aclose(self) -> None:
        """Close all; twice is harmless."""
        for provider in [*self._retired, *(carrier.provider for carrier in self._carriers.values())]:
            await provider.aclose()

    async def _set_paused(self, asker: Asker, name: str, reason: str | None) -> ProviderView:
        carrier = self._carrier(name)
        if name not in self._from_file:
            row = await self._store.read(lambda work: work.providers.get(asker.workspace, name))
            if row is not None:
                changed = msgspec.structs.replace(row, paused=reason, updated_at=self._clock.now())
                await self._store.work(lambda work: work.providers.put(changed))
        carrier.paused = reason
        return self._shown(name)

    async def _number(self, workspace: int, name: str) -> int:
        def change(work: Work) -> int:
            number = work.providers.number(workspace, name)
            if number > _MOST_NAMES:
                words = f"{_MOST_NAMES} names of providers were used: take one of them"
                raise Conflict(words, code="too_many_providers")
            return number

        return await self._store.work(change)

    def _open_row(self, row: ProviderRow) -> None:
        credential = None
        if row.credential is not None:
            credential = self._seal.workspace.open(_COLUMN, row.name.encode(), row.credential).decode()
        draft = ProviderDraft(kind=row.kind, settings=msgspec.json.decode(row.settings), enabled=row.enabled)
        self._open(row.name, draft, credential, row.number, managed_by="api")
        self._carriers[row.name].paused = row.paused

    def _open(self, name: str, draft: ProviderDraft, credential: str | None, number: int, *, managed_by: str) -> None:
        kind = self._kinds.get(draft.kind)
        if kind is None:
            known = ", ".join(sorted(self._kinds))
            raise Invalid(f"there is no kind of provider {draft.kind!r}: {known}", code="provider_kind_unknown")
        if draft.channel is not None and draft.channel is not kind.channel:
            raise Invalid(f"a provider of kind {kind.name} carries {kind.channel}", code="provider_channel")
        settings = self._settings(kind, draft.settings, name)
        provider = kind.open(name, settings, credential)
        sender = draft.sender or getattr(settings, "sender", None)
        carrier = Carrier(provider, number, sender, self._clock)
        self._retired += [self._carriers[name].provider] if name in self._carriers else []
        self._carriers[name] = carrier
        self._views[name] = ProviderView(
            name=name,
            kind=kind.name,
            channel=kind.channel.value,
            settings=draft.settings,
            credential=None if credential is None else {"set": True, "fingerprint": self._fingerprint(credential)},
            enabled=draft.enabled,
            paused=None,
            managed_by=managed_by,
        )

    def _settings(self, kind: ProviderKind, given: dict[str, Any], name: str) -> msgspec.Struct:
        try:
            settings = msgspec.convert(given, kind.settings)
        except msgspec.ValidationError as error:
            detail = str(error)
            raise Invalid(
                f"provider {name}: {detail}",
                faults=[Fault(code="setting_invalid", detail=detail, pointer="/settings")],
                code="setting_invalid",
            ) from error
        if self._loopback_only and not kind.loopback_only(settings):
            raise Invalid(
                f"provider {name} would leave this machine; this server only sends on it (pagerd dev --really-send)",
                code="not_loopback",
            )
        return settings

    def _credential(self, draft: ProviderDraft, old: ProviderRow | None) -> str | None:
        if not isinstance(draft.credential, msgspec.UnsetType):
            return draft.credential
        if old is None or old.credential is None:
            return None
        return self._seal.workspace.open(_COLUMN, old.name.encode(), old.credential).decode()

    def _fingerprint(self, credential: str) -> str:
        # Keyed, so that nobody who reads it can try passwords against it.
        return self._seal.index.of_text("credential", credential).hex()[:12]

    def _mine(self, name: str) -> None:
        if name in self._from_file:
            raise Conflict(f"provider {name} is set in the configuration file: change it there", code="managed_by_file")

    def _carrier(self, name: str) -> Carrier:
        carrier = self._carriers.get(name)
        if carrier is None:
            raise Missing(f"there is no provider {name!r}")
        return carrier

    def _shown(self, name: str) -> ProviderView:
        carrier = self._carrier(name)
        return msgspec.structs.replace(self._views[name], paused=carrier.paused, health=carrier.health())
