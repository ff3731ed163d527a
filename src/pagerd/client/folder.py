"""Templates on disk, as people keep them in git: one folder a template.

::

    order-shipped/
      template.toml        description, variables, from, reply_to, batch_size, default_locale
      email.en.html        CHANNEL.LOCALE.html | txt | json, with its subject in TOML between lines of +++
      email.en.txt
      kafka.en.json        with key and headers there
    _layouts/  _partials/  to come

A loaded template remembers which file and line each of its parts came from, so that what the server finds wrong in
a part can be told as a place in a file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from pagerd.client.errors import BadFolder, Flaw
from pagerd.client.templatefiles import FRONT, SETTINGS, SHARED, Origin, Reader, is_ours
from pagerd.client.tomltext import line_of
from pagerd.core.errors import Fault
from pagerd.core.templates import TemplateDraft


class Loaded(msgspec.Struct, frozen=True):
    """A template as it stands on disk; ``origins`` by (channel, locale, part)."""

    name: str
    path: Path
    draft: TemplateDraft
    origins: dict[tuple[str, str, str], Origin]

    def place(self, fault: Fault) -> Flaw:
        """Return a fault that the server found in this template as a place in its files."""
        steps = [int(step) if step.isdigit() else step for step in (fault.pointer or "").split("/")[1:]]
        if steps[:1] != ["variants"] and fault.variant is None:
            return self._in_settings(fault, steps)
        part = (fault.part or str(steps[2] if len(steps) > 2 else "")).partition("/")[0]
        origin = self.origins.get((*self._variant(fault, steps), part))
        if origin is None:
            return Flaw(self.path, 0, f"{fault.detail} ({fault.variant or fault.pointer})")
        if part in FRONT:
            return Flaw(origin.path, origin.line, fault.detail)
        return Flaw(origin.path, origin.line - 1 + (fault.line or 1), fault.detail, fault.column or 0)

    def _variant(self, fault: Fault, steps: list[str | int]) -> tuple[str, str]:
        """Return (channel, locale) of the variant that a fault is in: its place in the draft, or its name."""
        place = steps[1] if len(steps) > 1 else None
        if isinstance(place, int) and place < len(self.draft.variants):
            variant = self.draft.variants[place]
            return variant.channel.value, variant.locale
        channel, _, locale = (fault.variant or "").replace("/", ".").partition(".")
        return channel, locale

    def _in_settings(self, fault: Fault, steps: list[str | int]) -> Flaw:
        """Return a fault in what belongs to the whole template as a place in template.toml."""
        path = self.path / SETTINGS
        if not path.is_file() or not steps:
            return Flaw(self.path, 0, fault.detail)
        return Flaw(path, line_of(path.read_text("utf-8", "replace"), *steps), fault.detail)


def load(folder: Path) -> list[Loaded]:
    """Return every template of a folder, in order of name; a folder that is a template itself is the only one.

    Raise :class:`BadFolder` with everything that is wrong in any of them.
    """
    flaws: list[Flaw] = []
    loaded: list[Loaded] = []
    for path in _templates(folder):
        reader = Reader(path, flaws)
        draft = reader.read()
        if draft is not None:
            loaded.append(Loaded(reader.name, path, draft, reader.origins))
    if flaws:
        raise BadFolder(flaws)
    return loaded


def _templates(folder: Path) -> list[Path]:
    """Return the folders of the templates in ``folder``."""
    if not folder.is_dir():
        raise BadFolder([Flaw(folder, 0, "is not a folder")])
    if (folder / SETTINGS).is_file():
        return [folder]
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    shared = [path for path in inside if path.name in SHARED]
    if shared:
        raise BadFolder([Flaw(path, 0, "shared layouts and partials are not supported yet") for path in shared])
    found = [path for path in inside if any(is_ours(file) for file in path.iterdir())]
    if not found:
        raise BadFolder([Flaw(folder, 0, f"holds no template: a template is a folder with a {SETTINGS}")])
    return found
