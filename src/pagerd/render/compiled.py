"""A template, compiled once: finds the variant for a person, and renders it."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from minijinja import Environment, TemplateError

from pagerd.core.policy import Channel
from pagerd.core.templates import Parts, TemplateDraft
from pagerd.core.variables import Variable
from pagerd.render import engine
from pagerd.render.errors import RenderFailed
from pagerd.render.limits import OUTPUT_CHARS
from pagerd.render.locales import canonical, fallbacks
from pagerd.render.plain_text import laid_out, text_of
from pagerd.render.skeleton import MailSkeleton
from pagerd.render.values import Facts
from pagerd.render.variables import Completion

_CACHED_LOCALES: Final = 1_000
_CACHED_SKELETONS: Final = 100
_CODES: Final = {
    "UndefinedError": "undefined_variable",
    "OutOfFuel": "fuel_exhausted",
    "UnknownFilter": "filter_error",
    "UnknownTest": "filter_error",
}


class Engines:
    """The environments of one template: the quick one, and the one that prints nothing for null, made when needed."""

    __slots__ = ("_forgiving", "_sources", "quick")

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources
        self.quick = self._made(hide_nulls=False)
        self._forgiving: Environment | None = None

    def forgiving(self) -> Environment:
        """Return the environment in which a printed null is nothing."""
        if self._forgiving is None:
            self._forgiving = self._made(hide_nulls=True)
        return self._forgiving

    def _made(self, *, hide_nulls: bool) -> Environment:
        """Return an environment that holds every part of every variant."""
        environment = engine.new_environment(hide_nulls=hide_nulls)
        for name, source in self._sources.items():
            environment.add_template(name, source)
        return environment


class CompiledVariant:
    """One channel's words in one locale. ``name`` is ``email.de``."""

    __slots__ = ("_derived", "_engines", "_html", "_skeletons", "_subject", "_text", "channel", "locale", "name")

    def __init__(self, name: str, channel: Channel, locale: str, engines: Engines, parts: frozenset[str]) -> None:
        """``parts``: which of ``html``, ``text`` and ``derived`` (text from HTML) the engines hold."""
        self.name = name
        self.channel = channel
        self.locale = locale
        self._engines = engines
        self._subject = f"{name}.subject"
        self._html = f"{name}.html" if "html" in parts else None
        self._text = f"{name}.text" if "text" in parts else None
        self._derived = f"{name}.derived" if "derived" in parts else None
        self._skeletons: dict[tuple[str, str | None], MailSkeleton] = {}

    @property
    def derives_text(self) -> bool:
        """Whether the author gave no text, so that it is made from the HTML."""
        return self._text is None

    def render(self, data: Facts) -> Parts:
        """Return the variant's words for one person; ``data`` is what :meth:`CompiledTemplate.complete` gave.

        Raise :class:`RenderFailed` where a value is not there, does not suit a filter, or too much comes out.
        """
        environment = self._engines.forgiving() if data._nulls else self._engines.quick  # noqa: SLF001 (see values)
        render = environment.render_template
        name = self._subject
        try:
            subject = render(name, **data)
            html = None
            if self._html is not None:
                html = render(name := self._html, **data)
            if self._text is not None:
                text = render(name := self._text, **data)
            elif self._derived is not None:
                text = laid_out(render(name := self._derived, **data))
            else:
                text = text_of(html or "")
        except BaseException as error:  # noqa: BLE001 (translated, or raised again)
            self._failed(name, error)
        if len(text) > OUTPUT_CHARS or (html is not None and len(html) > OUTPUT_CHARS):
            detail = f"{self.name}: more than {OUTPUT_CHARS} characters came out"
            raise RenderFailed("output_too_large", detail, variant=self.name)
        return Parts(subject=subject, text=text, html=html)

    def skeleton(self, sender: str, reply_to: str | None = None) -> MailSkeleton:
        """Return the mail skeleton for a sender, built and checked once; raise :class:`Invalid` for an unusable one."""
        key = (sender, reply_to)
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            if len(self._skeletons) >= _CACHED_SKELETONS:
                self._skeletons.clear()
            skeleton = self._skeletons[key] = MailSkeleton(sender, reply_to=reply_to, locale=self.locale)
        return skeleton

    def _failed(self, name: str, error: BaseException) -> NoReturn:
        """Translate what the engine, or a filter, raised; raise again what is not theirs."""
        part = name.rpartition(".")[2]
        part = "html" if part == "derived" else part
        if isinstance(error, TemplateError):
            code = _CODES.get(error.kind, "template_error")
            detail = error.detail or error.message
            place = f", line {error.line}" if error.line and not name.endswith(".derived") else ""
            line = error.line if place else None
            raise RenderFailed(
                code, f"{self.name} {part}{place}: {detail}", variant=self.name, part=part, line=line
            ) from None
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise RenderFailed("filter_error", f"{self.name} {part}: {error}", variant=self.name, part=part) from error
        raise error


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
