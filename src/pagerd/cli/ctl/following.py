"""Follows a session to its end, or as long as there is time: as a bar, as lines, or as JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import Asks
from pagerd.cli.ctl.report import exit_code, progress_line, show_end
from pagerd.cli.ctl.saying import count, note, show_json
from pagerd.cli.ctl.shell import INTERRUPTED, Refusal

if TYPE_CHECKING:
    from pagerd.core.views import SessionView

    Shown: TypeAlias = Callable[[SessionView], None]

QUIET_SECONDS: Final = 5.0
"""Off a terminal a line of progress comes at most so often."""


def follow(asks: Asks, id: str, *, seconds: float | None, every_event: bool = False) -> int:
    """Follow a session; print its end; return the exit code. ``every_event``: with ``--json`` a line for each."""
    import asyncio

    from pagerd.client.errors import Unreachable

    lines_of_json = asks.json and every_event
    with asks.pager() as pager:
        pager.sessions.get(id)  # is there such a session, and anybody to ask? That is told at once
    try:
        with progress(lines_of_json=lines_of_json) as shown:
            view = asyncio.run(_watched(asks, id, seconds, shown))
    except KeyboardInterrupt:
        note(f"\n{id} goes on without you; look again:  pagerctl sessions watch {id}")
        note(f"stop it:  pagerctl sessions cancel {id}")
        raise Exit(INTERRUPTED) from None
    except Unreachable as problem:
        hint = f"{id} goes on by itself; look again: pagerctl sessions watch {id}"
        raise Refusal(problem.detail, do=hint) from problem
    finished = _is_over(view)
    if not asks.json:
        show_end(view, finished=finished)
    elif not lines_of_json:
        show_json(view)
    return exit_code(view, finished=finished)


async def _watched(asks: Asks, id: str, seconds: float | None, shown: Shown) -> SessionView:
    """Show a session whenever it has changed; return how it looked last."""
    import asyncio

    last: SessionView | None = None
    async with asks.async_pager() as pager:
        try:
            async with asyncio.timeout(seconds):
                async for last in pager.sessions.watch(id):
                    shown(last)
        except TimeoutError:
            pass
        return last if last is not None else (await pager.sessions.get(id)).view


def _is_over(view: SessionView) -> bool:
    return view.over


@contextmanager
def progress(*, lines_of_json: bool) -> Iterator[Shown]:
    """Give what shows progress: JSON lines, a bar on a terminal, lines now and then elsewhere."""
    if lines_of_json:
        yield show_json
    elif sys.stderr.isatty():
        with bar("people told") as advance:

            def shown(view: SessionView) -> None:
                advance(view.told + view.withheld + view.not_told, view.total, progress_line(view))

            yield shown
    else:
        yield _Lines()


class _Lines:
    """Progress off a terminal: a line when the state changes, and now and then."""

    def __init__(self) -> None:
        self._state = ""
        self._next = 0.0

    def __call__(self, view: SessionView) -> None:
        now = time.monotonic()
        if view.state != self._state or now >= self._next:
            self._state, self._next = view.state, now + QUIET_SECONDS
            note(progress_line(view))


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int, words: str) -> None:
        """Show that ``done`` of ``total`` are done."""
        ...


@contextmanager
def bar(what: str) -> Iterator[Advance]:
    """Give a bar on standard error, which is gone when it is full."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as shown:
        task = shown.add_task(what, total=None)

        def advance(done: int, total: int, words: str) -> None:
            from rich.markup import escape

            shown.update(task, completed=done, total=total or None, description=escape(click.unstyle(words)))

        yield advance


@contextmanager
def upload_progress() -> Iterator[Advance]:
    """Give what shows how many rows are uploaded."""
    if not sys.stderr.isatty():
        yield lambda done, total, words: note(f"{words}: {count(done)} of {count(total)}")
    else:
        with bar("rows uploaded") as advance:
            yield advance
