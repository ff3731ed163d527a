"""The command ``pagerd``: the server, and everything that is done to it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import rich_click as click

from pagerd import __version__
from pagerd.cli.server import roles
from pagerd.cli.server.failures import told
from pagerd.cli.server.options import CONFIG, DATA, HOST, PORT
from pagerd.cli.server.roles import examine, run_server

_LATER: Final = {
    "migrate-store": "Move everything to another kind of store",
}
_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _InOrder(click.RichGroup):
    """A group that lists its commands in the order in which they are written here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands."""
        del ctx
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=_CONTEXT)
@click.version_option(__version__, "--version", prog_name="pagerd")
def main_group() -> None:
    """Tell N people, each in their own words, and prove who was told.

    Settings come from flags, from PAGERD_… in the environment, and from pagerd.toml, in this order.

    \b
    pagerd demo           watch a thousand people being told
    pagerd demo --kill    the same, and the server is shot meanwhile
    pagerd dev            everything in one process, with an inbox
    pagerd check          when something is wrong
    pagerd ctl send …     tell people (pagerctl)
    """  # noqa: D301 - click reads the \b: these lines stay as they are


@main_group.command()
@CONFIG
@HOST
@PORT
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".pagerd"),
    show_default=True,
    metavar="DIR",
    help="The data directory.",
)
@click.option("--really-send", is_flag=True, help="Allow providers that are not on this machine.")
@click.option("--log", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True)
def dev(config: Path | None, host: str | None, port: int | None, data: Path, really_send: bool, log: str) -> None:
    """Run everything for development, with an inbox at /inbox.

    Data lives in ./.pagerd; a key with every scope is saved there, where pagerctl finds it. Nothing leaves this
    machine without --really-send.
    """
    from pagerd import config as settings
    from pagerd.cli.server import dev as development
    from pagerd.cli.server.beside import in_directory

    read = settings.read(config, {"host": host, "port": port, "log": log})
    examine(read, config)
    run_server(development.dev(in_directory(data, read), data, really_send=really_send))


main_group.add_command(roles.serve)
main_group.add_command(roles.api)
main_group.add_command(roles.worker)


@main_group.command()
@CONFIG
@DATA
def migrate(config: Path | None, data: Path | None) -> None:
    """Make or migrate the database.

    Servers do so at their start, too; this is for those who want to do it before.
    """
    from pagerd.cli.server.beside import located
    from pagerd.cli.server.migrating import migrate as migrate_

    click.echo(asyncio.run(migrate_(located(config, data))))


@main_group.command()
@CONFIG
@DATA
@click.option("--recount", is_flag=True, help="Count everything again and compare it with the counters.")
def check(config: Path | None, data: Path | None, recount: bool) -> None:
    """Say what is wrong and what to do.

    Looks at settings, data directory, disk, database and keys, and tries every provider. It changes nothing, and may
    be run while a server works. The exit code is 1 where something is wrong.
    """
    from pagerd.cli.server import checking
    from pagerd.cli.server.beside import located

    settings = located(config, data)
    examine(settings, config)
    found = asyncio.run(checking.check(settings))
    click.echo(checking.told(found))
    well = all(one.ok for one in found)
    if recount and well:
        from pagerd.cli.server import counting

        counted = asyncio.run(counting.recounted(settings))
        click.echo(counting.told(counted))
        well = counted.well
    sys.exit(0 if well else 1)


@main_group.group(cls=_InOrder)
def keys() -> None:
    """Make the root key file; issue, list and revoke API keys."""


@keys.command("create")
@CONFIG
@DATA
def keys_create(config: Path | None, data: Path | None) -> None:
    """Make the root key file, with which everything is sealed.

    A server does so at its first start. The file is never overwritten: what another key sealed could not be read
    any more.
    """
    from pagerd.cli.server import keys as verbs
    from pagerd.cli.server.beside import located

    click.echo(verbs.create(located(config, data)))


@keys.command("issue")
@CONFIG
@DATA
@click.option("--name", required=True, help="What the key is for: people will read it.")
@click.option(
    "--scope", "scopes", multiple=True, help="What it may; may be given often. `all` is everything. Default: to send."
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="For how many days it is valid.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to a new file.")
def keys_issue(
    config: Path | None, data: Path | None, name: str, scopes: tuple[str, ...], days: float | None, save: Path | None
) -> None:
    """Make an API key. It is shown this once: only its hash is kept.

    This may be done while the server runs; it knows the key at once.
    """
    from pagerd.cli.server import keys as verbs
    from pagerd.cli.server.beside import located

    asyncio.run(verbs.issue(located(config, data), name, scopes, days, save))


@keys.command("list")
@CONFIG
@DATA
def keys_list(config: Path | None, data: Path | None) -> None:
    """List every API key, the newest first."""
    from pagerd.cli.server import keys as verbs
    from pagerd.cli.server.beside import located

    asyncio.run(verbs.show(located(config, data)))


@keys.command("revoke")
@CONFIG
@DATA
@click.argument("key", metavar="KEY_ID")
def keys_revoke(config: Path | None, data: Path | None, key: str) -> None:
    """Revoke an API key (key_…): nobody is let in with it any more."""
    from pagerd.cli.server import keys as verbs
    from pagerd.cli.server.beside import located

    asyncio.run(verbs.revoke(located(config, data), key))


@main_group.command()
@CONFIG
@DATA
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def backup(config: Path | None, data: Path | None, folder: Path) -> None:
    """Copy everything but the root key into a new folder.

    The server goes on meanwhile. Keep the root key apart, in a safe place: without it nobody can read a backup.
    """
    from pagerd.cli.server.backup import backup as backup_
    from pagerd.cli.server.beside import located

    click.echo(backup_(located(config, data), folder))


@main_group.command()
@CONFIG
@DATA
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option("--keys", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="keys.db, kept apart.")
@click.option("--replace", is_flag=True, help="Put what is there aside.")
def restore(config: Path | None, data: Path | None, folder: Path, keys: Path | None, replace: bool) -> None:
    """Put a backup in place.

    The server must be stopped. Its next start pauses everything unfinished: it may have been sent after the backup.
    """
    from pagerd.cli.server.beside import located
    from pagerd.cli.server.restore import restore as restore_

    click.echo(restore_(located(config, data), folder, keys, replace=replace))


@main_group.command()
@click.option("--kill", is_flag=True, help="Shoot the server three times meanwhile, and join sink and ledger.")
def demo(kill: bool) -> None:
    """Watch a thousand people being told on this machine.

    It starts a server of its own, with data that is removed afterwards; nothing leaves this machine.
    """
    if kill:
        from pagerd.cli.server.killing import kill_demo

        kill_demo()
    else:
        from pagerd.cli.server.demo import demo as demo_

        demo_()


@main_group.command()
def version() -> None:
    """Print the version."""
    click.echo(f"pagerd {__version__}")


@main_group.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="…")
def ctl(arguments: tuple[str, ...]) -> None:
    """Do what pagerctl does."""
    from pagerd.cli.pagerctl import pagerctl

    pagerctl(list(arguments), prog_name="pagerd ctl")


def _later(name: str, what: str) -> click.Command:
    """Return the command of a role that is to come: it says so."""

    @click.command(
        name,
        help=f"{what}. It comes with scale-out.",
        hidden=True,
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def later(arguments: tuple[str, ...]) -> None:
        del arguments
        click.echo(f"pagerd {name} comes with scale-out. Now one process does everything: pagerd serve", err=True)
        sys.exit(2)

    return later


for _name, _what in _LATER.items():
    main_group.add_command(_later(_name, _what))


def main() -> None:
    """Run the command; errors are words and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        main_group(prog_name="pagerd", standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost place: whatever it is, a person reads it
        sys.exit(told(error))


if __name__ == "__main__":
    main()
