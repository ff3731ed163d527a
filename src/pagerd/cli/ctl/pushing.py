"""Compares a folder of templates with the server's, and makes one like the other once that is wanted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import rich_click as click

from pagerd.cli.ctl.asking import Asks
from pagerd.cli.ctl.saying import note, plural, say, show_json, visible
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.client.folder import Loaded
    from pagerd.core.templates import TemplateDraft

ADDED: Final = "added"
MODIFIED: Final = "modified"
UNCHANGED: Final = "unchanged"
_COLOURS: Final = {ADDED: "green", MODIFIED: "yellow"}


class Change(NamedTuple):
    """How one template of one side compares with the other: what it is, and where they differ."""

    name: str
    kind: str
    where: tuple[str, ...] = ()


def push_folder(asks: Asks, folder: Path, *, publish: bool, yes: bool) -> None:
    """Save every template of a folder that the server does not have like that; publish all of them if that is asked."""
    from pagerd.client.folder import load

    loaded = load(folder)
    with asks.pager() as pager:
        there = {one.name: _draft_there(pager, one.name) for one in loaded}
        changes = [compared(one.name, one.draft, there[one.name]) for one in loaded]
        _show(asks, changes)
        wanted = [one for one, change in zip(loaded, changes, strict=True) if change.kind != UNCHANGED]
        if wanted or publish:
            what = plural(len(wanted), "draft") + (f" and publish {plural(len(loaded), 'template')}" if publish else "")
            _agree(f"Save {what}?", yes=yes)
        _save(pager, wanted)
        versions = {one.name: pager.templates.publish(one.name).version for one in loaded} if publish else {}
    if asks.json:
        return show_json([change._asdict() | {"version": versions.get(change.name)} for change in changes])
    for name, version in versions.items():
        say(f"published  {name}@{version}")
    if wanted and not publish:
        say(f"saved {plural(len(wanted), 'draft')}; sessions use them once they are published: --publish")
    return None


def pull_folder(asks: Asks, folder: Path, names: Sequence[str], *, yes: bool) -> None:
    """Write the server's drafts into a folder; ask before a file that says something else is overwritten."""
    from pagerd.client.folderwriting import write

    with asks.pager() as pager:
        views = [pager.templates.get(name) for name in names] or list(pager.templates.list())
    changes = [compared(view.name, view.draft, _draft_here(folder, view.name)) for view in views]
    _show(asks, changes)
    wanted = [view for view, change in zip(views, changes, strict=True) if change.kind != UNCHANGED]
    overwritten = sum(change.kind == MODIFIED for change in changes)
    if overwritten:
        _agree(f"Overwrite {plural(overwritten, 'template')} in {folder}?", yes=yes)
    for view in wanted:
        write(folder, view.name, view.draft)
    if asks.json:
        show_json([change._asdict() for change in changes])
    else:
        say(f"wrote {plural(len(wanted), 'template')} into {visible(folder)}")


def compared(name: str, new: TemplateDraft, old: TemplateDraft | None) -> Change:
    """Return how a draft compares with the one that it would replace."""
    import msgspec

    if old is None:
        return Change(name, ADDED)
    settings = [msgspec.structs.replace(one, variants=[]) for one in (new, old)]
    before = {(one.channel.value, one.locale): one for one in old.variants}
    after = {(one.channel.value, one.locale): one for one in new.variants}
    differing = {".".join(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if settings[0] != settings[1] or _first_locale(new) != _first_locale(old):
        differing.add("template.toml")
    return Change(name, MODIFIED if differing else UNCHANGED, tuple(sorted(differing)))


def _first_locale(draft: TemplateDraft) -> str:
    """Return the locale to which a template falls back."""
    return draft.variants[0].locale if draft.variants else ""


def _draft_there(pager: Pager, name: str) -> TemplateDraft | None:
    from pagerd.client.errors import NotFound

    try:
        return pager.templates.get(name).draft
    except NotFound:
        return None


def _draft_here(folder: Path, name: str) -> TemplateDraft | None:
    from pagerd.client.folder import load

    path = folder / name
    return load(path)[0].draft if path.is_dir() and any(path.iterdir()) else None


def _show(asks: Asks, changes: list[Change]) -> None:
    """Say what differs."""
    if asks.json:
        return
    for change in changes:
        kind = click.style(f"{change.kind:10}", fg=_COLOURS.get(change.kind))
        note(f"{kind} {visible(change.name)}  {visible(', '.join(change.where))}".rstrip())


def _agree(question: str, *, yes: bool) -> None:
    """Go on if a person says so; scripts say ``--yes``."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal("nobody is here to ask", do="add --yes", code=MISUSED)
    if not click.confirm(question, err=True):
        raise Refusal("nothing was changed")


def _save(pager: Pager, wanted: list[Loaded]) -> None:
    """Save drafts; whatever the server finds wrong in any of them is told together, as places in files."""
    from pagerd.client.errors import ApiError, BadFolder, Flaw

    flaws: list[Flaw] = []
    for one in wanted:
        try:
            pager.templates.save(one.name, one.draft)
        except ApiError as problem:
            if not problem.faults:
                raise
            flaws += map(one.place, problem.faults)
    if flaws:
        raise BadFolder(flaws)
