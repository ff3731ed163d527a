"""A short message's words: one text, of which every character may cost."""

from __future__ import annotations

from typing import Any, Final

from pagerd.core.policy import Channel
from pagerd.core.segments import segments
from pagerd.render.engines import Engines
from pagerd.render.errors import RenderFailed
from pagerd.render.values import Facts
from pagerd.render.variant import CompiledVariant

_CONTROLS: Final = {code: None for code in (*range(32), *range(0x7F, 0xA0)) if code != 0x0A} | {0x09: " "}
"""Control characters go, but line breaks; a tab, which no phone's alphabet has, becomes a space."""


class TextVariant(CompiledVariant):
    """A short message's words in one locale."""

    __slots__ = ("_text",)

    def __init__(self, name: str, locale: str, engines: Engines) -> None:
        super().__init__(name, Channel.SMS, locale, engines)
        self._text = f"{name}.text"

    def render(self, data: Facts) -> str:
        """Return the text for one person, with LF only and nothing blank around it.

        Raise :class:`RenderFailed` as a mail does, and where nothing is left to say (``body_missing``).
        """
        self._begin()
        text = self._printed(self._text, data).strip()
        if not text.isprintable():
            text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
        if not text:
            raise RenderFailed("body_missing", f"{self.name}: the text came out empty", variant=self.name, part="text")
        return text

    def words(self, data: Facts) -> dict[str, Any]:
        """Return the text, its encoding and its number of segments; raise :class:`RenderFailed`."""
        text = self.render(data)
        sms = segments(text)
        return {"text": text, "encoding": sms.encoding.value, "segments": sms.count}
