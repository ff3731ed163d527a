"""The outermost command: whatever goes wrong inside is told in words, with the exit code that it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.saying import note, visible

if TYPE_CHECKING:
    from pagerd.core.errors import Fault, PagerError

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
DEBUG: Final = "PAGERCTL_DEBUG"
SHOWN: Final = 20
"""So many faults are told; the rest is counted."""


class Refusal(Exception):
    """A command can't go on: what happened (lines, each with its place), what to do about it, and the exit code."""

    def __init__(self, *lines: str, do: str = "", code: int = FAILED) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.do = do
        self.code = code


class Shell(click.RichGroup):
    """A group of commands that never shows a traceback (unless PAGERCTL_DEBUG is set)."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which people need them."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what it raises into words and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            note("")
            raise Exit(INTERRUPTED) from None
        except (click.ClickException, Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            raise Exit(_tell(error)) from None


def _tell(error: Exception) -> int:
    """Say what went wrong; return the exit code."""
    from pagerd.core.errors import PagerError

    if isinstance(error, Refusal):
        lines, do, code = error.lines, error.do, error.code
    elif isinstance(error, PagerError):
        lines, do, code = tuple(_lines(error)), error.remedy or _remedy(error), FAILED
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        lines, do, code = (f"{where}{error.strerror or error}",), "", FAILED
    else:
        words = f"something in pagerctl is broken ({type(error).__name__}: {error})"
        lines, do, code = (words,), f"set {DEBUG}=1 to see where, and please report it", FAILED
    label = click.style("error:", fg="red", bold=True)
    for number, line in enumerate(lines):
        note(f"{label} {visible(line)}" if number == 0 else f"  {visible(line)}")
    if do:
        note(f"{click.style('do:', bold=True)} {visible(do)}")
    return code


def _lines(error: PagerError) -> Iterator[str]:
    """Give what an error of Pager's says: its words, every fault with its place, and how to find it in the log."""
    faults: tuple[Fault, ...] = getattr(error, "faults", ())
    flaws: tuple[object, ...] = getattr(error, "flaws", ())
    if flaws:
        yield from map(str, flaws)
        return
    if len(faults) != 1 or faults[0].detail != error.detail:
        yield error.detail
    for fault in faults[:SHOWN]:
        place = placed(fault)
        yield f"{place}: {fault.detail}" if place else fault.detail
    more = getattr(error, "count", 0) - len(faults[:SHOWN])
    if more > 0:
        yield f"… and {more:,} more"
    if getattr(error, "status", 0) >= 500 and getattr(error, "request_id", None):
        yield f"request {getattr(error, 'request_id', '')}"


def placed(fault: Fault) -> str:
    """Return where a fault is: file line and column, or the field of the request."""
    if fault.line is not None and fault.part is None:
        return f"line {fault.line}" + (f", column {fault.column}" if fault.column is not None else "")
    where = [fault.variant, fault.part] if fault.variant else [fault.pointer]
    if fault.line is not None:
        where.append(f"line {fault.line}, column {fault.column or 1}")
    return " ".join(word for word in where if word)


def _remedy(error: PagerError) -> str:
    """Return what to do about an error that does not say so itself."""
    from pagerd.client import errors

    if isinstance(error, errors.Unauthenticated):
        return "look which key is used: pagerctl doctor"
    if isinstance(error, errors.Forbidden):
        return "use a key that has the permission, or ask an administrator for it"
    if isinstance(error, errors.TooMany | errors.Unavailable):
        wait = f" in {error.retry_after} s" if error.retry_after else " later"
        return f"try again{wait}"
    return ""
