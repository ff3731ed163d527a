"""A mail's words: subject, HTML and text, and the skeletons that they are filled into."""

from __future__ import annotations

from typing import Any, Final

from pagerd.core.policy import Channel
from pagerd.core.templates import Parts
from pagerd.render.engines import Engines
from pagerd.render.limits import OUTPUT_CHARS
from pagerd.render.plain_text import laid_out, text_of
from pagerd.render.skeleton import MailSkeleton
from pagerd.render.values import Facts
from pagerd.render.variant import CompiledVariant

_CACHED_SKELETONS: Final = 100


class MailVariant(CompiledVariant):
    """A mail's words in one locale."""

    __slots__ = ("_derived", "_html", "_skeletons", "_subject", "_text")

    def __init__(self, name: str, locale: str, engines: Engines, parts: frozenset[str]) -> None:
        """``parts``: which of ``html``, ``text`` and ``derived`` (text from HTML) the engines hold."""
        super().__init__(name, Channel.EMAIL, locale, engines)
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
        engines = self._engines
        if engines.light is not None and data._size <= engines.light_up_to and not data._nulls:  # noqa: SLF001
            environment = engines.light
        else:
            environment = engines.forgiving() if data._nulls else engines.quick  # noqa: SLF001 (see values)
            if engines.spending is not None:
                engines.spending.begin()
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
            raise self._too_large()
        return Parts(subject=subject, text=text, html=html)

    def words(self, data: Facts) -> dict[str, Any]:
        """Return subject and text; raise :class:`RenderFailed`."""
        parts = self.render(data)
        return {"subject": parts.subject, "text": parts.text}

    def skeleton(self, sender: str, reply_to: str | None = None) -> MailSkeleton:
        """Return the mail skeleton for a sender, built and checked once; raise :class:`Invalid` for an unusable one."""
        key = (sender, reply_to)
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            if len(self._skeletons) >= _CACHED_SKELETONS:
                self._skeletons.clear()
            skeleton = self._skeletons[key] = MailSkeleton(sender, reply_to=reply_to, locale=self.locale)
        return skeleton
