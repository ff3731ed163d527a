"""The command ``pagerd``: the server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import rich_click as click

from pagerd import __version__
from pagerd.core.errors import PagerError

_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file (default: ./pagerd.toml)."
)
_PORT = click.option("--port", type=click.IntRange(0, 65535), help="Port of the HTTP API (default 8400).")
_HOST = click.option("--host", help="Address to listen on (default 127.0.0.1).")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="pagerd")
def main_group() -> None:
    """Tell N people, each in their own words, and prove who was told.

    Start with `pagerd dev`: everything in one process, and nothing leaves this machine.
    """


@main_group.command()
@_CONFIG
@_HOST
@_PORT
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=Path(".pagerd"), show_default=True)
@click.option("--really-send", is_flag=True, help="Allow providers that are not on this machine.")
@click.option("--log", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True)
def dev(
    config: Path | None, host: str | None, port: int | None, data: Path, really_send: bool, log: str
) -> None:
    """Everything in one process for development, with an inbox at /inbox.

    Data lives in ./.pagerd; a key with every scope is saved there, where pagerctl finds it.
    """
    from pagerd import config as settings
    from pagerd.cli.server import dev as development

    read = settings.read(config, {"host": host, "port": port, "log": log})
    run(development.dev(development.settings_for(data, read), data, really_send=really_send))


@main_group.command()
@_CONFIG
@_HOST
@_PORT
def serve(config: Path | None, host: str | None, port: int | None) -> None:
    """Production, all in one process: API, workers, clockwork."""
    from pagerd import config as settings
    from pagerd.cli.server.serve import serve as serve_

    run(serve_(settings.read(config, {"host": host, "port": port})))


@main_group.command()
def version() -> None:
    """Print the version."""
    click.echo(f"pagerd {__version__}")


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a server's coroutine on the quickest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def main() -> None:
    """Run the command; errors are words and an exit code, never a traceback."""
    try:
        main_group(prog_name="pagerd", standalone_mode=True)
    except PagerError as error:
        click.echo(f"pagerd: {error.detail}", err=True)
        if error.remedy:
            click.echo(f"  {error.remedy}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
