"""Options that several commands of ``pagerd`` take."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The settings file (default: ./pagerd.toml, if there is one).",
)
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The data directory (default: what the settings say, or ./.pagerd of pagerd dev).",
)
PORT = click.option("--port", type=click.IntRange(0, 65535), help="The port of the HTTP API (default 8400).")
HOST = click.option("--host", help="The address to listen on (default 127.0.0.1).")
LOG = click.option("--log", type=click.Choice(["debug", "info", "warning", "error"]), help="What is logged.")
