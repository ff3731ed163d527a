"""A template, compiled once: finds the variant for a person."""

from __future__ import annotations

from typing import Any, Final, Literal, overload

from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft
from pagerd.core.variables import Variable
from pagerd.render.locales import canonical, fallbacks
from pagerd.render.mail_variant import MailVariant
from pagerd.render.record_variant import RecordVariant
from pagerd.render.text_variant import TextVariant
from pagerd.render.values import Facts
from pagerd.render.variables import Completion
from pagerd.render.variant import CompiledVariant

_CACHED_LOCALES: Final = 1_000


class CompiledTemplate:
    """A whole template, compiled: immutable, made once per version and kept."""

    __slots__ = ("_by_locale", "_chosen", "_default", "_first", "draft", "variables", "variants")

    def __init__(
        self, draft: TemplateDraft, variables: tuple[Variable, ...], variants: tuple[CompiledVariant, ...]
    ) -> None:
        self.draft = draft
        self.variables = variables
        self.variants = variants
        self._by_locale = {(variant.channel, canonical(variant.locale)): variant for variant in variants}
        self._first: dict[Channel, CompiledVariant] = {}
        for variant in variants:
            self._first.setdefault(variant.channel, variant)
        self._default = canonical(variants[0].locale)
        self._chosen: dict[tuple[Channel, str | None], CompiledVariant | None] = {}

    @overload
    def variant(self, channel: Literal[Channel.EMAIL], locale: str | None = None) -> MailVariant | None: ...
    @overload
    def variant(self, channel: Literal[Channel.SMS], locale: str | None = None) -> TextVariant | None: ...
    @overload
    def variant(self, channel: Literal[Channel.KAFKA], locale: str | None = None) -> RecordVariant | None: ...
    @overload
    def variant(self, channel: Channel, locale: str | None = None) -> CompiledVariant | None: ...
    def variant(self, channel: Channel, locale: str | None = None) -> CompiledVariant | None:
        """Return the variant for a channel that is nearest to a locale; ``None`` where the channel has none.

        ``de-AT`` falls back to ``de``, then to the template's default locale (its first variant's), then to the
        channel's first variant.
        """
        try:
            return self._chosen[channel, locale]
        except KeyError:
            if len(self._chosen) >= _CACHED_LOCALES:
                self._chosen.clear()
            chosen = self._chosen[channel, locale] = self._nearest(channel, locale)
            return chosen

    def _nearest(self, channel: Channel, locale: str | None) -> CompiledVariant | None:
        """Return what :meth:`variant` caches."""
        tags = [*fallbacks(canonical(locale or self._default)), self._default]
        found = (self._by_locale.get((channel, tag)) for tag in tags)
        return next((variant for variant in found if variant is not None), self._first.get(channel))

    def completion(self, shared: dict[str, Any]) -> Completion:
        """Return what fills each person's data up over ``shared``: keep it for a session."""
        return Completion(self.variables, shared)

    def complete(self, shared: dict[str, Any], own: dict[str, Any]) -> Facts:
        """Return one person's data, complete: as :meth:`completion` does, for a single person."""
        return self.completion(shared).complete(own)
