"""Reads the files of one template, and notes every mistake with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pagerd.client.errors import Flaw
from pagerd.client.tomltext import BadToml, line_of, parsed, split
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft

SETTINGS: Final = "template.toml"
SHARED: Final = ("_layouts", "_partials")
PARTS: Final = {"html": "html", "txt": "text", "json": "json"}
"""Which part of a variant a file holds, by its ending."""
FRONT: Final = ("subject", "key", "headers")
"""Which parts of a variant stand in the front matter of its files; ``headers`` is a table of texts."""

FILE: Final = re.compile(r"(?P<channel>[a-z]+)\.(?P<locale>[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*)\.(?P<kind>[a-z]+)")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_CHANNELS: Final = tuple(channel.value for channel in Channel)
_TOP: Final = ("description", "variables", "from", "reply_to", "batch_size", "default_locale")


class Origin(msgspec.Struct, frozen=True):
    """Where a part of a template came from: its first line is ``line`` of ``path``."""

    path: Path
    line: int


def is_ours(path: Path) -> bool:
    """Tell whether a file belongs to a template."""
    return path.name == SETTINGS or FILE.fullmatch(path.name) is not None


def default_of(locales: Iterable[str]) -> str:
    """Return the locale that a template falls back to where nothing else is said."""
    known = sorted(locales)
    return "en" if "en" in known else known[0]


class Reader:
    """Reads one template's folder into a draft. ``origins`` (by channel, locale, part) says where its parts stand."""

    def __init__(self, path: Path, flaws: list[Flaw]) -> None:
        self.path = path
        self.name = path.resolve().name
        self.flaws = flaws
        self.origins: dict[tuple[str, str, str], Origin] = {}
        self.variants: dict[tuple[str, str], dict[str, Any]] = {}

    def read(self) -> TemplateDraft | None:
        """Return the template, or ``None`` once a flaw was noted."""
        before = len(self.flaws)
        if not NAME.fullmatch(self.name):
            self._flaw(self.path, 0, f"{self.name!r} can't be a template's name: letters, digits, '-', '_' and '.'")
        settings, default = self._settings()
        for file in sorted(self.path.iterdir()):
            self._file(file)
        if not self.variants and len(self.flaws) == before:
            self._flaw(self.path, 0, "has no variant: add a file such as email.en.html")
        variants = list(self._ordered(default))
        if len(self.flaws) > before:
            return None
        return msgspec.convert({**settings, "variants": variants}, TemplateDraft)

    def _flaw(self, path: Path, line: int, detail: str, column: int = 0) -> None:
        self.flaws.append(Flaw(path, line, detail, column))

    def _text(self, path: Path) -> str | None:
        """Return a file's text with plain newlines; note where it is not UTF-8."""
        try:
            raw = path.read_bytes()
            return raw.decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as problem:
            self._flaw(path, 0, f"can't be read: {problem.strerror}")
        except UnicodeDecodeError as problem:
            line = raw.count(b"\n", 0, problem.start) + 1
            self._flaw(path, line, f"is not UTF-8: byte 0x{raw[problem.start]:02x} at offset {problem.start}")
        return None

    def _settings(self) -> tuple[dict[str, Any], str | None]:
        """Return what template.toml says, in the interface's names, and the default locale if it names one."""
        path = self.path / SETTINGS
        text = (self._text(path) or "") if path.is_file() else ""
        table = self._table(path, text, 0)
        for name in table.keys() - set(_TOP):
            self._flaw(path, line_of(text, name), f"{name!r} is unknown here{_nearest(name, _TOP)}")
        default = table.pop("default_locale", None)
        if default is not None and not isinstance(default, str):
            self._flaw(path, line_of(text, "default_locale"), 'default_locale must be text, such as "en"')
            default = None
        if isinstance(table.get("variables"), dict):
            table["variables"] = self._listed(path, text, table["variables"])
        self._check_shape(path, text, {name: table[name] for name in _TOP if name in table})
        return table, default

    def _check_shape(self, path: Path, text: str, table: dict[str, Any]) -> None:
        """Note the first field whose value has the wrong shape."""
        try:
            msgspec.convert({**table, "variants": []}, TemplateDraft)
        except msgspec.ValidationError as problem:
            words, _, where = str(problem).partition(" - at ")
            steps = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", where)]
            place = f" ({where.strip('`$.')})" if where else ""
            self._flaw(path, line_of(text, *steps), f"{words}{place}")

    def _listed(self, path: Path, text: str, named: dict[str, Any]) -> list[dict[str, Any]]:
        """Return variables that are written as tables by name (``[variables.total]``) as the interface lists them."""
        wrong = next((name for name, variable in named.items() if not isinstance(variable, dict)), None)
        if wrong is not None:
            self._flaw(path, line_of(text, wrong), "a variable is a table: [[variables]] with a name")
            return []
        return [{"name": name, **variable} for name, variable in named.items()]

    def _table(self, path: Path, text: str, above: int) -> dict[str, Any]:
        """Return a TOML text as a table; ``above`` is how many lines of the file stand over it."""
        try:
            return parsed(text)
        except BadToml as problem:
            self._flaw(path, problem.line + above, str(problem), problem.column)
            return {}

    def _file(self, path: Path) -> None:
        """Read one file of a variant."""
        if path.name.startswith((".", "README")) or path.name == SETTINGS:
            return None
        if path.name in SHARED:
            return self._flaw(path, 0, "shared layouts and partials are not supported yet")
        found = FILE.fullmatch(path.name)
        if found is None:
            return self._flaw(path, 0, "is not named CHANNEL.LOCALE.html, .txt or .json, like email.en.html")
        if found["kind"] not in PARTS:
            later = " yet" if found["kind"] == "mjml" else ""
            return self._flaw(path, 0, f".{found['kind']} files are not supported{later}: use .html, .txt or .json")
        if found["channel"] not in _CHANNELS:
            return self._flaw(path, 0, f"{found['channel']!r} is no channel{_nearest(found['channel'], _CHANNELS)}")
        text = self._text(path)
        if text is not None:
            self._part(path, text, found)
        return None

    def _part(self, path: Path, text: str, named: re.Match[str]) -> None:
        """Note what a file says: its body, and what its front matter adds."""
        channel, locale, part = named["channel"], named["locale"].replace("_", "-"), PARTS[named["kind"]]
        try:
            front, body = split(text)
        except BadToml as problem:
            return self._flaw(path, problem.line, str(problem))
        variant = self.variants.setdefault((channel, locale), {})
        variant[part] = body
        above = 0 if front is None else front.count("\n") + 2
        self.origins[channel, locale, part] = Origin(path, above + 1)
        for name, value in self._table(path, front, 1).items() if front else ():
            line = line_of(front or "", name) + 1
            if name not in FRONT:
                self._flaw(path, line, f"{name!r} is unknown in front matter{_nearest(name, FRONT)}")
            elif (wrong := _unfit(name, value)) is not None:
                self._flaw(path, line, wrong)
            elif variant.setdefault(name, value) != value:
                self._flaw(path, line, f"another file of {channel}.{locale} gives another {name}")
            else:
                self.origins.setdefault((channel, locale, name), Origin(path, line))
        return None

    def _ordered(self, default: str | None) -> Iterator[dict[str, Any]]:
        """Give the variants, those of the default locale first: that is how a template says which it is."""
        locales = {locale for _, locale in self.variants}
        if default is not None and default not in locales:
            has = f"there are only {', '.join(sorted(locales))}" if locales else "there is no variant"
            self._flaw(self.path / SETTINGS, 1, f"default_locale is {default!r}, but {has}")
        first = default or default_of(locales) if locales else ""
        for channel, locale in sorted(self.variants, key=lambda one: (one[1] != first, one)):
            yield {"channel": channel, "locale": locale, **self.variants[channel, locale]}


def _unfit(name: str, value: Any) -> str | None:
    """Return what is wrong with a part in front matter, or ``None``."""
    if name != "headers":
        return None if isinstance(value, str) else f"{name} must be text in quotes"
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return None
    return 'headers must be a table of texts, like headers = { trace = "{{ id }}" }'


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, tuple(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
