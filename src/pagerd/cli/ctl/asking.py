"""What every command that asks the server takes: which server, which key, and whether the answer is to be JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from pagerd.client import AsyncPager, Pager

QUICK: Final = 4
"""Tries while a person waits to hear whether the server is there at all: about a second."""

STEADY: Final = 15
"""Tries once something is under way: a restart of the server is waited for, a minute or so."""

P = ParamSpec("P")
R = TypeVar("R")


class Asks:
    """Whom a command asks, and how it answers. The client, and the HTTP library with it, is loaded on first use."""

    def __init__(self, url: str | None, key_file: Path | None, profile: str | None, *, json: bool) -> None:
        self.url = url
        self.key_file = key_file
        self.profile = profile
        self.json = json

    def pager(self, *, tries: int = QUICK) -> Pager:
        """Return a pager that asks so often; close it after use."""
        from pagerd.client import Pager, Patience

        patience = Patience(tries=tries, first=0.1)
        return Pager(self.url, key_file=self.key_file, profile=self.profile, patience=patience)

    def async_pager(self, *, tries: int = STEADY) -> AsyncPager:
        """Return an asynchronous pager that asks so often; close it after use."""
        from pagerd.client import AsyncPager, Patience

        patience = Patience(tries=tries, first=0.1)
        return AsyncPager(self.url, key_file=self.key_file, profile=self.profile, patience=patience)


def asks(command: Callable[Concatenate[Asks, P], R]) -> Callable[..., R]:
    """Give a command the options of a connection; it is called with an :class:`Asks` first."""

    @click.option("--url", metavar="URL", help="The server, instead of PAGERCTL_URL or a profile.")
    @click.option("--key-file", type=click.Path(path_type=Path), metavar="FILE", help="A file with the API key.")
    @click.option("--profile", metavar="NAME", help="A profile of ~/.config/pagerctl/config.toml.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
    @functools.wraps(command)
    def with_connection(
        *args: Any, url: str | None, key_file: Path | None, profile: str | None, as_json: bool, **options: Any
    ) -> R:
        return command(Asks(url, key_file, profile, json=as_json), *args, **options)

    return with_connection


def examples(*lines: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """End a command's help with lines that stay as they are (an empty one parts them): what to type."""

    def taught(command: Callable[P, R]) -> Callable[P, R]:
        said = inspect.cleandoc(command.__doc__ or "")
        command.__doc__ = said + "\n\n\b\n" + "\n".join(line or " " for line in lines)
        return command

    return taught
