"""One channel's words in one locale, compiled: what all channels have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, NoReturn

from minijinja import TemplateError

from pagerd.core.policy import Channel
from pagerd.render.engines import Engines
from pagerd.render.errors import RenderFailed
from pagerd.render.limits import OUTPUT_CHARS
from pagerd.render.spending import TooMuch
from pagerd.render.values import Facts

_CODES: Final = {
    "UndefinedError": "undefined_variable",
    "OutOfFuel": "fuel_exhausted",
    "UnknownFilter": "filter_error",
    "UnknownTest": "filter_error",
}


class CompiledVariant(ABC):
    """One channel's words in one locale. ``name`` is ``email.de``; a subclass renders them as its channel wants."""

    __slots__ = ("_engines", "channel", "locale", "name")

    def __init__(self, name: str, channel: Channel, locale: str, engines: Engines) -> None:
        self.name = name
        self.channel = channel
        self.locale = locale
        self._engines = engines

    @abstractmethod
    def words(self, data: Facts) -> dict[str, Any]:
        """Return what one person would be told, part by part, for people to look at; raise :class:`RenderFailed`."""

    def _begin(self) -> None:
        """Count from nothing what this rendering builds."""
        if self._engines.spending is not None:
            self._engines.spending.begin()

    def _printed(self, name: str, data: Facts, *, nulls: bool = False) -> str:
        """Return one part rendered; a printed null is nothing, unless ``nulls`` are a word of the channel."""
        hidden = data._nulls and not nulls  # noqa: SLF001 (see values)
        environment = self._engines.forgiving() if hidden else self._engines.quick
        try:
            text = environment.render_template(name, **data)
        except BaseException as error:  # noqa: BLE001 (translated, or raised again)
            self._failed(name, error)
        if len(text) > OUTPUT_CHARS:
            raise self._too_large()
        return text

    def _too_large(self) -> RenderFailed:
        """Return the error of more text than a part may become."""
        detail = f"{self.name}: more than {OUTPUT_CHARS} characters came out"
        return RenderFailed("output_too_large", detail, variant=self.name)

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
        if isinstance(error, TooMuch):
            raise RenderFailed(
                "output_too_large", f"{self.name} {part}: {error}", variant=self.name, part=part
            ) from None
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise RenderFailed("filter_error", f"{self.name} {part}: {error}", variant=self.name, part=part) from error
        raise error
