"""Providers: which services carry messages."""

from __future__ import annotations

import msgspec

from pagerd.client.calls import at, posted
from pagerd.client.face import F, Faced, operation, stream
from pagerd.client.steps import Course, Plan, Request
from pagerd.core.requests import ProviderDraft
from pagerd.core.views import Page, ProviderKindView, ProviderView


class Providers(Faced[F]):
    """All providers of a workspace. Those of the configuration file can be read and tested, not changed."""

    @operation
    def kinds(self) -> Plan[list[ProviderKindView]]:
        """Return the kinds that the server knows, each with the JSON Schema of its settings."""
        return (yield from self._call(Page[ProviderKindView], Request(method="GET", path=at("provider-kinds")))).items

    @stream
    def list(self) -> Course[ProviderView]:
        """Give all providers."""
        yield from self._pages(ProviderView, at("providers"), {})

    @operation
    def get(self, name: str) -> Plan[ProviderView]:
        """Return one provider; its credential is only described."""
        return (yield from self._call(ProviderView, Request(method="GET", path=at("providers", name))))

    @operation
    def set(self, name: str, draft: ProviderDraft) -> Plan[ProviderView]:
        """Create or replace a provider; a credential left out keeps the one that is there."""
        body = {"from" if field == "sender" else field: value for field, value in msgspec.to_builtins(draft).items()}
        given = {field: value for field, value in body.items() if value is not None}
        return (yield from self._call(ProviderView, posted(at("providers", name), given, method="PUT")))

    @operation
    def test(self, name: str) -> Plan[ProviderView]:
        """Try its connection and credential; the result stands in ``health``."""
        return (yield from self._call(ProviderView, posted(at("providers", name, "test")), repeatable=True))

    @operation
    def pause(self, name: str, reason: str | None = None) -> Plan[ProviderView]:
        """Send nothing more by it."""
        body = {"reason": reason} if reason else None
        return (yield from self._call(ProviderView, posted(at("providers", name, "pause"), body), repeatable=True))

    @operation
    def resume(self, name: str) -> Plan[ProviderView]:
        """Use it again."""
        return (yield from self._call(ProviderView, posted(at("providers", name, "resume")), repeatable=True))
