"""`pagerctl version` and `pagerctl completion`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from pagerd import __version__
from pagerd.cli.ctl.asking import examples
from pagerd.cli.ctl.saying import say, show_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def version(as_json: bool) -> None:
    """Print pagerctl's version."""
    if as_json:
        show_json({"version": __version__})
    else:
        say(f"pagerctl {__version__}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@examples(
    "pagerctl completion bash > ~/.local/share/bash-completion/completions/pagerctl",
    'pagerctl completion zsh  > "${fpath[1]}/_pagerctl"',
    "pagerctl completion fish > ~/.config/fish/completions/pagerctl.fish",
)
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete pagerctl's commands and options."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choice above
    say(kind(ctx.find_root().command, {}, "pagerctl", "_PAGERCTL_COMPLETE").source())


COMMANDS: Final = (version, completion)
