"""``pagerd serve``, ``pagerd api`` and ``pagerd worker``: everything in one process, or one role a process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from pagerd.cli.server.options import CONFIG, DATA, HOST, LOG, PORT

if TYPE_CHECKING:
    from pagerd.config import Settings


@click.command()
@CONFIG
@DATA
@HOST
@PORT
@LOG
def serve(config: Path | None, data: Path | None, host: str | None, port: int | None, log: str | None) -> None:
    """Run a production server: API, workers, clockwork.

    Stop it with SIGTERM: it claims nothing more, waits for the answers that are under way, and lets go.
    """
    _serve(config, data, {"host": host, "port": port, "log": log})


@click.command()
@CONFIG
@HOST
@PORT
@LOG
def api(config: Path | None, host: str | None, port: int | None, log: str | None) -> None:
    """Serve the HTTP API alone; workers of their own do the sending.

    Any number of them serve one installation. The store must be PostgreSQL: a file has one server.
    """
    _serve(config, None, {"host": host, "port": port, "log": log}, worker=False)


@click.command()
@CONFIG
@HOST
@PORT
@LOG
@click.option("--lanes", type=click.IntRange(1, 10_000), help="How many batches are worked on at a time (default 64).")
def worker(config: Path | None, host: str | None, port: int | None, log: str | None, lanes: int | None) -> None:
    """Send, and serve nothing but /healthz, /readyz and /metrics.

    Any number of them work for one installation; each may be stopped (SIGTERM), shot and started at any time. The
    store must be PostgreSQL: a file has one server.
    """
    flags = {"host": host, "port": port, "log": log, "worker": None if lanes is None else {"lanes": lanes}}
    _serve(config, None, flags, api=False)


def _serve(
    config: Path | None, data: Path | None, flags: Mapping[str, Any], *, api: bool = True, worker: bool = True
) -> None:
    from pagerd import config as settings
    from pagerd.cli.server.beside import in_directory
    from pagerd.cli.server.running import Role
    from pagerd.cli.server.serve import serve as serve_
    from pagerd.core.errors import Misconfigured

    read = settings.read(config, flags)
    if not ((api and worker) or read.on_postgres):
        raise Misconfigured(
            "one role a process needs a store that processes can share, and a file has one server",
            code="store_not_shared",
            remedy="Set store = postgresql://… (docs/how-to/scale-out.md), or run everything in one: pagerd serve",
        )
    examine(read, config)
    run_server(serve_(read if data is None else in_directory(data, read), Role(api=api, worker=worker)))


def examine(settings: Settings, config: Path | None) -> None:
    """Raise :class:`Misconfigured` for every mistake in the configured providers, with its place in the file."""
    if settings.providers:
        from pagerd.cli.server.providers import examine as examine_
        from pagerd.wiring.kinds import KINDS

        examine_(settings, config, KINDS)


def run_server(work: Coroutine[Any, Any, None]) -> None:
    """Run a server's coroutine on the quickest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
