"""The providers of a workspace: those of the configuration file, and those that the API keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pagerd.core.errors import Conflict, Fault, Invalid, Misconfigured, Missing, PagerError
from pagerd.core.policy import Channel
from pagerd.core.rates import read_rate
from pagerd.core.requests import Asker, ProviderDraft
from pagerd.core.views import ProviderKindView, ProviderView
from pagerd.guard.revision import Revision
from pagerd.ports.pace import Pace
from pagerd.ports.provider import Provider, ProviderKind
from pagerd.ports.store import ProviderRow, Store
from pagerd.ports.time import Chance, Clock
from pagerd.route.carrier import Carrier
from pagerd.route.pacing import Pacing
from pagerd.route.records import Records
from pagerd.seal.hierarchy import Seal

_COLUMN: Final = "credential"
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """What the providers of several processes have in common: changes are noticed, and rates are kept in sum."""

    revision: Revision
    pace: Pace | None = None


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
        sharing: Sharing | None = None,
    ) -> None:
        """``loopback_only`` refuses providers that would leave this machine: what ``pagerd dev`` wants.

        ``sharing`` is what they have in common with other processes.
        """
        self._seal = seal
        self._clock = clock
        self._chance = chance
        self._kinds = kinds
        self._loopback_only = loopback_only
        sharing = sharing or Sharing(revision=Revision(store, clock, chance))
        sharing.revision.follow(self._refresh)
        self._pace = sharing.pace
        self._records = Records(store, sharing.revision)
        self._workspace = 0
        self._rows: dict[str, ProviderRow] = {}
        self._carriers: dict[str, Carrier] = {}
        self._views: dict[str, ProviderView] = {}
        self._held_back: dict[str, str] = {}
        self._from_file: set[str] = set()
        self._retired: list[Provider] = []

    async def load(self, workspace: int, from_file: Mapping[str, ProviderDraft]) -> None:
        """Open the providers of the configuration file and of the store; the file's win."""
        self._workspace = workspace
        for name, draft in from_file.items():
            number = await self._records.number(workspace, name)
            credential = draft.credential if isinstance(draft.credential, str) else None
            self._open(name, draft, credential, number, managed_by="file")
            self._from_file.add(name)
        await self._refresh()

    @property
    def held_back(self) -> dict[str, str]:
        """Stored providers that are not used because they would leave this machine, each with words."""
        return dict(self._held_back)

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
        old = await self._records.get(workspace, name)
        credential = self._credential(draft, old)
        number = await self._records.number(workspace, name)
        opened = self._opened(name, draft, credential, number, managed_by="api")
        opened[0].paused = old.paused if old else None  # a change is no resume
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
        await self._keep_row(row)
        self._use(name, opened)  # not before it is kept: after an error all is as it was
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
        if name in self._from_file:
            await self._records.keep_pause(asker.workspace, name, reason)
        elif (row := await self._records.get(asker.workspace, name)) is not None:
            await self._keep_row(msgspec.structs.replace(row, paused=reason, updated_at=self._clock.now()))
        carrier.paused = reason
        return self._shown(name)

    async def _keep_row(self, row: ProviderRow) -> None:
        self._rows[row.name] = row  # whatever becomes of it, the next refresh compares with what is kept
        await self._records.keep(row)

    async def _refresh(self) -> None:
        """Follow what other processes changed: open what is new or different, pause and resume."""
        rows, pauses = await self._records.all(self._workspace, sorted(self._from_file))
        for name, reason in pauses.items():
            self._carriers[name].paused = reason
        broken: list[PagerError] = []
        for row in rows:
            try:
                if row.name not in self._from_file:
                    self._follow(row)
            except PagerError as error:  # the others must not suffer
                broken.append(error)
        if broken:
            raise broken[0]

    def _follow(self, row: ProviderRow) -> None:
        known = self._rows.get(row.name)
        if known is None or _without_pause(known) != _without_pause(row):
            self._open_or_hold_back(row)
        if row.name in self._carriers:
            self._carriers[row.name].paused = row.paused
        self._rows[row.name] = row

    def _open_or_hold_back(self, row: ProviderRow) -> None:
        """Open a provider; one that would leave a machine which nothing may leave is only shown, disabled."""
        try:
            self._open_row(row)
        except Invalid as error:
            if error.code != "not_loopback":
                raise
            self._held_back[row.name] = error.detail
            if row.name in self._carriers:
                self._retired.append(self._carriers.pop(row.name).provider)
            self._views[row.name] = ProviderView(
                name=row.name,
                kind=row.kind,
                channel=row.channel.value,
                settings=msgspec.json.decode(row.settings),
                credential=None,
                enabled=False,
                paused=error.detail,
                managed_by="api",
            )

    def _open_row(self, row: ProviderRow) -> None:
        credential = None
        if row.credential is not None:
            credential = self._seal.workspace.open(_COLUMN, row.name.encode(), row.credential).decode()
        draft = ProviderDraft(kind=row.kind, settings=msgspec.json.decode(row.settings), enabled=row.enabled)
        self._open(row.name, draft, credential, row.number, managed_by="api")

    def _open(self, name: str, draft: ProviderDraft, credential: str | None, number: int, *, managed_by: str) -> None:
        self._use(name, self._opened(name, draft, credential, number, managed_by=managed_by))

    def _use(self, name: str, opened: tuple[Carrier, ProviderView]) -> None:
        self._retired += [self._carriers[name].provider] if name in self._carriers else []
        self._carriers[name], self._views[name] = opened
        self._held_back.pop(name, None)

    def _opened(
        self, name: str, draft: ProviderDraft, credential: str | None, number: int, *, managed_by: str
    ) -> tuple[Carrier, ProviderView]:
        kind = self._kinds.get(draft.kind)
        if kind is None:
            known = ", ".join(sorted(self._kinds))
            raise Invalid(f"there is no kind of provider {draft.kind!r}: {known}", code="provider_kind_unknown")
        if draft.channel is not None and draft.channel is not kind.channel:
            raise Invalid(f"a provider of kind {kind.name} carries {kind.channel}", code="provider_channel")
        settings = self._settings(kind, draft.settings, name)
        provider = kind.open(name, settings, credential)
        sender = draft.sender or getattr(settings, "sender", None)
        region = getattr(settings, "default_region", None)
        pacing = self._pacing(name, number, settings, credential)
        carrier = Carrier(provider, number, sender, self._clock, region=region, pacing=pacing)
        return carrier, ProviderView(
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

    def _pacing(self, name: str, number: int, settings: Any, credential: str | None) -> Pacing | None:
        """Return the rate that the settings ask for, one bucket for each provider and credential."""
        written = getattr(settings, "rate", None)
        if written is None:
            return None
        if self._pace is None:
            raise Misconfigured(f"provider {name} has a rate, and this process has nothing that keeps to it")
        key = f"{number}:{'' if credential is None else self._fingerprint(credential)}"
        return Pacing(self._pace, key, read_rate(written), self._clock)

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
        if name in self._held_back:
            raise Conflict(self._held_back[name], code="not_loopback")
        if carrier is None:
            raise Missing(f"there is no provider {name!r}")
        return carrier

    def _shown(self, name: str) -> ProviderView:
        if name in self._held_back:
            return self._views[name]
        carrier = self._carrier(name)
        return msgspec.structs.replace(self._views[name], paused=carrier.paused, health=carrier.health())


def _without_pause(row: ProviderRow) -> ProviderRow:
    """Return what of a row needs the provider to be opened again when it changes."""
    return msgspec.structs.replace(row, paused=None, updated_at=0.0)
