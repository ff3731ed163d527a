"""Processes as the system shows them: their words, their children, and the programs they are made from."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 60.0


class Unavailable(Exception):
    """A server can't be had here; the words say which package is missing, or how it failed."""


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Return whether the condition came to hold in time; nothing tells us of other people's processes."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True


def command_of(pid: int) -> str:
    """Return the words a process was started with; empty for one that is gone or only waits to be buried."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return ""
    said = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return "" if said.startswith("Z") else said


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    found, parents = {pid}, _parents()
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {pid})


def program(words: str, package: str, *folders: Path) -> str:
    """Return the path of a program; raise :class:`Unavailable` naming the Debian package that has it."""
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if (found := shutil.which(words, path=path)) is None:
        raise Unavailable(f"{words} is not here; it is in Debian's package {package}")
    return found


def _parents() -> dict[int, int]:
    """Return the parent of every process."""
    if Path("/proc/self/stat").exists():
        found = {}
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # gone meanwhile
                # The name of the program, in brackets, may hold anything: what is of use comes after it.
                found[int(file.parent.name)] = int(file.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        return found
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}


def send(pid: int, number: int) -> None:
    """Send a signal to a process, which may be gone meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
