"""`pagerctl providers`: which services carry messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import Asks, asks, examples
from pagerd.cli.ctl.cells import pairs
from pagerd.cli.ctl.saying import coloured, note, say, show_json, table, visible
from pagerd.cli.ctl.shell import FAILED, MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.core.views import ProviderView

NAME: Final = click.argument("name", metavar="NAME")


@click.group()
@examples(
    "pagerctl providers list",
    "pagerctl providers set mail --kind smtp --setting url=smtp://127.0.0.1:2525 --from 'Shop <hi@shop.example>'",
    "pagerctl providers test mail",
)
def providers() -> None:
    """See, set up, try and pause the services that carry messages."""


@providers.command("list")
@asks
def list_(asks: Asks, /) -> None:
    """List providers."""
    with asks.pager() as pager:
        views = list(pager.providers.list())
    if asks.json:
        return show_json(views)
    rows = [(view.name, view.kind, view.channel, _state(view), view.managed_by) for view in views]
    table(rows, ("provider", "kind", "channel", "state", "managed by"))
    return None if rows else note("there are no providers: pagerctl providers set --help")


def _state(view: ProviderView) -> str:
    if view.paused is not None:
        return "paused"
    return "enabled" if view.enabled else "disabled"


@providers.command()
@NAME
@asks
def show(asks: Asks, /, name: str) -> None:
    """Show one provider; of its credential only that there is one."""
    with asks.pager() as pager:
        _show(asks, pager.providers.get(name))


@providers.command("set")
@NAME
@click.option("--kind", required=True, help="What it is: smtp …")
@click.option("--channel", help="What it carries (not needed where the kind has only one).")
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of its kind.")
@click.option("--from", "sender", metavar="ADDRESS", help="Who stands in From where nobody else is named.")
@click.option("--credential-file", metavar="FILE|-", help="A file with the credential; - is standard input.")
@click.option("--disabled", is_flag=True, help="Don't use it yet.")
@asks
def set_(asks: Asks, /, name: str, credential_file: str | None, disabled: bool, **typed: Any) -> None:
    """Create or replace a provider. A credential left out keeps the one that is there.

    Credentials are never written on the command line, where others may read them.
    """
    import msgspec

    from pagerd.core.policy import Channel
    from pagerd.core.requests import ProviderDraft

    try:
        channel = Channel(typed["channel"]) if typed["channel"] else None
    except ValueError:
        raise Refusal(
            f"{typed['channel']!r} is no channel", do=f"it is one of {', '.join(Channel)}", code=MISUSED
        ) from None
    credential = _credential(credential_file)
    draft = ProviderDraft(
        kind=typed["kind"],
        channel=channel,
        settings={key: _value(text) for key, text in pairs(typed["settings"], "--setting").items()},
        sender=typed["sender"],
        enabled=not disabled,
    )
    if credential is not None:
        draft = msgspec.structs.replace(draft, credential=credential)
    with asks.pager() as pager:
        _show(asks, pager.providers.set(name, draft))


def _value(text: str) -> Any:
    """Return a setting's value: a number or a truth where it reads as one, else text."""
    return {"true": True, "false": False}.get(text, int(text) if text.isascii() and text.isdigit() else text)


def _credential(name: str | None) -> str | None:
    """Return what stands in the credential's file."""
    if name is None:
        return None
    text = (sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")).strip()
    if not text:
        raise Refusal(f"{name} holds no credential", code=MISUSED)
    return text


@providers.command()
@NAME
@asks
def test(asks: Asks, /, name: str) -> None:
    """Try a provider's connection and credential. Nothing is sent. Exit code 1 if it does not work."""
    with asks.pager() as pager:
        view = pager.providers.test(name)
    _show(asks, view)
    if view.health.get("ok") is False:
        raise Exit(FAILED)


@providers.command()
@NAME
@click.option("--reason", help="Why, for those who look at it later.")
@asks
def pause(asks: Asks, /, name: str, reason: str | None) -> None:
    """Send nothing more by a provider."""
    with asks.pager() as pager:
        _show(asks, pager.providers.pause(name, reason))


@providers.command()
@NAME
@asks
def resume(asks: Asks, /, name: str) -> None:
    """Use a paused provider again."""
    with asks.pager() as pager:
        _show(asks, pager.providers.resume(name))


def _show(asks: Asks, /, view: ProviderView) -> None:
    """Print a provider: what it is, its settings, its health."""
    if asks.json:
        return show_json(view)
    why = f" ({visible(view.paused)})" if view.paused else ""
    say(f"{visible(view.name)}  {visible(view.kind)} for {visible(view.channel)}  {coloured(_state(view))}{why}")
    for group, facts in (("", view.settings), ("credential ", view.credential or {}), ("health ", view.health)):
        for name, value in facts.items():
            say(f"  {group}{visible(name)}: {visible(value)}")
    return None


COMMANDS: Final = (providers,)
