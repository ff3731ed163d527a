"""A server in a folder: started, shot, stopped, and found again by whoever looks into the folder."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, TypeVar

from . import account
from .ports import free_port, is_free
from .process import Unavailable, command_of, descendants, send, until

_TAIL = 15

S = TypeVar("S", bound="Server")


_STARTED: Final[list[subprocess.Popen[bytes]]] = []
"""Kept, because a child that is forgotten while it runs is warned of; these may well outlive this process."""


class Server(ABC):
    """A server of our own: same folder, same data, same port, however often it is started.

    ``settings`` are the server's own, by its own names, and hold from the next start on. Used as a context manager
    it starts, and in the end is removed.
    """

    name: ClassVar[str]
    account: ClassVar[Callable[[], str | None]] = staticmethod(lambda: None)
    ports_needed: ClassVar[int] = 1
    farewell: ClassVar[int] = signal.SIGTERM

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.settings = dict(settings or {})
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return how it is started; the folder of its data is among the words, by which it is known again."""

    @abstractmethod
    def prepare(self) -> None:
        """Make its data, in an empty :attr:`place`."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it serves clients, asked in its own protocol."""

    def ended_of_what_passes(self) -> bool:
        """Return whether it ended at its start because of what its predecessor left behind for a moment."""
        return False

    @property
    def url(self) -> str:
        """Where clients find it."""
        raise NotImplementedError

    def start(self) -> None:
        """Return when it serves clients; one that runs is left alone. Raises :class:`Unavailable`."""
        launched = False

        def settled() -> bool:
            nonlocal launched
            if self.running:
                return self.answers()
            if launched and not self.ended_of_what_passes():
                return True
            self._make_ready_to_start()
            self._launch()
            launched = True
            return False

        if not until(settled) or not self.running:
            end = "\n".join(self.log().splitlines()[-_TAIL:])
            raise Unavailable(f"{self.name} does not answer on port {self.port}; the end of its log:\n{end}")

    def kill(self) -> None:
        """End it as ``kill -9`` does, with every process that it started; return when all are gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; return when it is gone. One that is not there is left alone."""
        self._signal(signal.SIGCONT)
        self._end(self.farewell)

    def pause(self) -> None:
        """Let it hang (SIGSTOP) until :meth:`resume`: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it, and forget its data."""
        self.kill()
        account.give_up(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self: S) -> S:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()

    @property
    def running(self) -> bool:
        """Whether the process is there and is ours: pids are used again."""
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """The process, or ``None``."""
        if self._child is not None:
            if self._child.poll() is None:
                return self._child.pid
            self._child = None
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "pid").read_text("ascii"))
            if str(self.place) in command_of(pid):
                return pid
        return None

    @property
    def place(self) -> Path:
        """Where its data and configuration are."""
        return account.place_for(type(self).account(), self.folder)

    @property
    def ports(self) -> list[int]:
        """The ports it listens on: chosen once, and kept."""
        remembered = self.folder / "ports"
        if not remembered.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            remembered.write_text(" ".join(str(free_port()) for _ in range(self.ports_needed)), "ascii")
        return [int(word) for word in remembered.read_text("ascii").split()]

    @property
    def port(self) -> int:
        """The port for clients."""
        return self.ports[0]

    def move(self) -> None:
        """Forget its ports if somebody else took one while it was down."""
        if not self.running and not all(map(is_free, self.ports)):
            (self.folder / "ports").unlink()

    @property
    def password(self) -> str:
        """A password that was made by chance for this folder."""
        file = self.folder / "password"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(16), "ascii")
        return file.read_text("ascii")

    def log(self) -> str:
        """Return what it wrote since it was made."""
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _make_ready_to_start(self) -> None:
        if taken := [port for port in self.ports if not is_free(port)]:
            raise Unavailable(f"{self.name}: port {taken[0]} of {self.folder} was taken by another program meanwhile")
        prepared = self.folder / "prepared"
        if prepared.exists() and any(self.place.iterdir()):
            return
        _empty(self.place, keep={"ports", "password", "place", "log"})
        try:
            self.prepare()
        except subprocess.CalledProcessError as error:
            said = f"{error.stdout or ''}{error.stderr or ''}"
            raise Unavailable(f"{self.name} could not be set up:\n{said}") from error
        prepared.touch()

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                self.command(),
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is for the tests, not for their servers
                **account.as_account(type(self).account()),
            )
        _STARTED.append(self._child)
        (self.folder / "pid").write_text(str(self._child.pid), "ascii")

    def _end(self, number: int) -> None:
        pid = self.pid
        if pid is None:
            return
        family = [pid, *descendants(pid)] if number == signal.SIGKILL else [pid]
        for member in family:
            send(member, number)
        gone = until(lambda: not any(map(self._lives, family)))
        if not gone and number == signal.SIGKILL:
            raise Unavailable(f"{self.name}: process {pid} can't be ended")
        if not gone:
            self._end(signal.SIGKILL)
        (self.folder / "pid").unlink(missing_ok=True)

    def _signal(self, number: int) -> None:
        if (pid := self.pid) is not None:
            for member in (pid, *descendants(pid)):
                send(member, number)

    def _lives(self, pid: int) -> bool:
        if self._child is not None and self._child.pid == pid:
            return self._child.poll() is None
        return bool(command_of(pid))


def _empty(folder: Path, keep: set[str]) -> None:
    for entry in folder.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
