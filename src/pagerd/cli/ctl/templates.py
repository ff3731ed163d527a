"""`pagerctl templates`: from folders in git to the server, and back."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import Asks, asks, examples
from pagerd.cli.ctl.cells import pairs, typed
from pagerd.cli.ctl.order import published
from pagerd.cli.ctl.report import ALL_TOLD, NOBODY_TOLD, STILL_RETRYING
from pagerd.cli.ctl.saying import coloured, note, say, show_json, table, visible
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.client.message import Message
    from pagerd.core.variables import Variable

DIR: Final = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
YES: Final = click.option("--yes", is_flag=True, help="Don't ask (for scripts).")


@click.group()
@examples(
    "order-shipped/template.toml      description, variables, from",
    "order-shipped/email.en.html      the subject in TOML between lines of +++",
    "order-shipped/email.en.txt",
)
def templates() -> None:
    """Keep templates in folders, save them as drafts, publish them as versions."""


@templates.command("list")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="0 is all.")
@asks
def list_(asks: Asks, /, limit: int) -> None:
    """List templates."""
    with asks.pager() as pager:
        views = list(islice(pager.templates.list(), limit or None))
    if asks.json:
        return show_json(views)
    rows = [
        (
            view.name,
            view.published or "not published",
            " ".join(f"{one.channel.value}.{one.locale}" for one in view.draft.variants),
            view.draft.description,
        )
        for view in views
    ]
    table(rows, ("template", "version", "variants", "description"))
    return None if rows else note("there are no templates yet: pagerctl templates push DIR")


@templates.command()
@DIR
@click.option("--publish", is_flag=True, help="Publish them too.")
@YES
@asks
@examples(
    "pagerctl templates push templates/",
    "pagerctl templates push templates/ --publish --yes       in CI",
)
def push(asks: Asks, /, folder: Path, publish: bool, yes: bool) -> None:
    """Save the templates of a folder as drafts: shows what is added, modified and unchanged, and asks."""
    from pagerd.cli.ctl.pushing import push_folder

    push_folder(asks, folder, publish=publish, yes=yes)


@templates.command()
@DIR
@click.argument("names", metavar="[NAME]…", nargs=-1)
@YES
@asks
def pull(asks: Asks, /, folder: Path, names: tuple[str, ...], yes: bool) -> None:
    """Write the server's drafts into a folder, all or those that are named."""
    from pagerd.cli.ctl.pushing import pull_folder

    pull_folder(asks, folder, names, yes=yes)


@templates.command()
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@asks
def publish(asks: Asks, /, names: tuple[str, ...]) -> None:
    """Freeze drafts as the next versions, which sessions use from now on."""
    with asks.pager() as pager:
        versions = [pager.templates.publish(name) for name in names]
    if asks.json:
        return show_json([{"name": one.name, "version": one.version} for one in versions])
    for one in versions:
        say(f"published  {visible(one.name)}@{one.version}")
    return None


@templates.command()
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A variable of the person that it is shown for.")
@click.option("--data-file", type=click.Path(path_type=Path), metavar="FILE", help="All variables, as a JSON object.")
@click.option("--channel", help="By what: email …")
@click.option("--locale", help="In which language.")
@asks
@examples(
    "pagerctl templates preview order-shipped --data name=Ada --data total=12.5",
    "pagerctl templates preview order-shipped@3 --locale de --data-file ada.json",
)
def preview(asks: Asks, /, name: str, data: tuple[str, ...], data_file: Path | None, **where: str | None) -> None:
    """Show a template as one person would get it: the draft, or a version."""
    bare, _, number = name.partition("@")
    if number and not number.isdigit():
        raise Refusal(f"{name!r} names no version", do="write NAME or NAME@3", code=MISUSED)
    with asks.pager() as pager:
        variables = pager.templates.get(bare).draft.variables
        values = _values(data, data_file, variables if isinstance(variables, list) else [])
        shown = pager.templates.preview(bare, data=values, version=int(number) if number else None, **where)
    if asks.json:
        return show_json(shown)
    return _show(shown)


@templates.command("test")
@click.argument("name", metavar="NAME[@VERSION]")
@click.argument("to", metavar="ADDRESS")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A variable; the examples stand in for the rest.")
@click.option("--data-file", type=click.Path(path_type=Path), metavar="FILE", help="All variables, as a JSON object.")
@click.option("--channel", help="By what: email …")
@click.option("--locale", help="In which language.")
@click.option("--wait", type=click.FloatRange(0), default=10.0, show_default=True, metavar="SECONDS")
@asks
@examples("pagerctl templates test order-shipped me@example.com --data name=Ada")
def test(asks: Asks, /, name: str, to: str, data: tuple[str, ...], data_file: Path | None, **how: Any) -> None:
    """Send one message to an address, in the words of the published version, and say what became of it.

    Exit code: 0 told, 4 not told, 5 not over after --wait.
    """
    seconds = how.pop("wait")
    options = {option: value for option, value in how.items() if value is not None}
    with asks.pager() as pager:
        template = published(pager, name)
        values = _values(data, data_file, template.variables)
        message = pager.messages.send(to, template=template.reference, data=values, **options)
        message.wait(seconds)
    if asks.json:
        show_json(message.recipient)
    else:
        _show_outcome(message, template.reference, to)
    end = ALL_TOLD if message.told else NOBODY_TOLD
    raise Exit(end if message.settled else STILL_RETRYING)


def _show_outcome(message: Message[Any], template: str, to: str) -> None:
    why = f" ({visible(message.reason.code)})" if message.reason is not None else ""
    say(f"{message.id}  {coloured(message.state)}{why}  {visible(template)} to {visible(to)}")
    if not message.told:
        say(f"look again:  pagerctl why {visible(to)}")


def _values(data: tuple[str, ...], data_file: Path | None, variables: list[Variable]) -> dict[str, Any]:
    """Return the person's variables: their examples, then the file, then the options."""
    import msgspec

    values: dict[str, Any] = {one.name: one.example for one in variables if one.example is not msgspec.UNSET}
    if data_file is not None:
        try:
            values |= msgspec.json.decode(data_file.read_bytes(), type=dict[str, Any])
        except msgspec.DecodeError as problem:
            raise Refusal(f"{data_file}: is not a JSON object ({problem})", code=MISUSED) from problem
    return values | typed(pairs(data, "--data"), variables)


def _show(shown: dict[str, Any]) -> None:
    """Print every part of a preview; whatever is no text is a fact about it."""
    facts = {name: value for name, value in shown.items() if not isinstance(value, str) or "\n" not in value}
    for name, value in facts.items():
        if not isinstance(value, (dict, list)) and value is not None:
            say(f"{visible(name)}: {visible(value)}")
    for name, value in shown.items():
        if name not in facts:
            say()
            say(f"--- {visible(name)}")
            for line in str(value).splitlines():
                say(visible(line))


COMMANDS: Final = (templates,)
