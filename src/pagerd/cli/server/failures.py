"""What went wrong, in words: what happened, where, and what to do. Never a traceback, unless it is asked for."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

from pagerd.core.errors import Fault, PagerError

DEBUG: Final = "PAGERD_DEBUG"
_SHOWN: Final = 20


def told(error: BaseException) -> int:
    """Say on standard error what went wrong; return the exit code."""
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return told(error.exceptions[0])
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    if isinstance(error, PagerError):
        lines, remedy = _lines(error), error.remedy
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        lines, remedy = [f"{where}{error.strerror or error}"], ""
    else:
        lines = [f"something in pagerd is broken ({type(error).__name__}: {error})"]
        remedy = f"set {DEBUG}=1 to see where, and please report it"
    say = sys.stderr.write
    say(f"pagerd: {lines[0]}\n")
    for line in lines[1:]:
        say(f"        {line}\n")
    if remedy:
        say(f"    do: {remedy}\n")
    return 1


def _lines(error: PagerError) -> list[str]:
    faults: tuple[Fault, ...] = getattr(error, "faults", ())
    details = [fault.detail for fault in faults[:_SHOWN]]
    lines = error.detail.splitlines() or [type(error).__name__]
    return lines + [detail for detail in details if detail not in lines]
