"""A desk (a real HTTP server that speaks the interface), and pagerctl beside it: in this process and in its own."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

COMMAND = [sys.executable, "-m", "pagerd.cli.pagerctl"]


def _desk_module() -> ModuleType:
    name = "pager_desk"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "client" / "desk.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


desk_module = _desk_module()


@pytest.fixture
def desk():
    desk = desk_module.Desk()
    desk.add_template("news")
    return desk


@pytest.fixture
def url(desk) -> Iterator[str]:
    with desk_module.opened(desk) as address:
        yield address


@pytest.fixture
def environ(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a person who has set up pagerctl with a live key; this process gets it, too."""
    key_file = tmp_path / "live.key"
    key_file.write_text(desk_module.KEY + "\n")
    mine = {"PAGERCTL_URL": url, "PAGERCTL_KEY_FILE": str(key_file), "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "120"}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "PAGERCTL_KEY", "PAGERCTL_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return {**os.environ, "PYTHONWARNINGS": "error"}


Run = Callable[..., Result]


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Run pagerctl in this process, off a terminal."""
    from pagerd.cli.pagerctl import pagerctl

    def call(*args: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(pagerctl, args, prog_name="pagerctl", input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call


@pytest.fixture
def process(environ: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run pagerctl in a process of its own, off a terminal."""

    def call(*args: str, input: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args],
            env=environ | (env or {}),
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


@dataclass
class Terminal:
    """A pagerctl on a pseudo-terminal, and the person before it."""

    process: subprocess.Popen[bytes]
    fd: int
    seen: str = ""

    def wait_for(self, pattern: str, seconds: float = 30.0) -> str:
        """Read until something is to be seen; return it."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < end, f"{pattern!r} was not seen in {self.seen!r}"
            if not self._read(end - time.monotonic()):
                break
        found = re.search(pattern, self.seen)
        assert found, f"{pattern!r} was not seen in {self.seen!r}"
        return found[0]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read(30.0):
            pass
        return self.process.wait(timeout=30)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            chunk = os.read(self.fd, 65_536)
        except OSError:
            return False
        self.seen += chunk.decode("utf-8", "replace")
        return bool(chunk)


def _hear_ctrl_c() -> None:
    """Undo what a shell does to programs in the background, and they to what they start: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def terminal(environ: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Start pagerctl on a pseudo-terminal."""
    started: list[Terminal] = []

    def start(*args: str) -> Terminal:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *args],
            env=environ | {"TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 - one thread only, and one system call
        )
        os.close(theirs)
        started.append(Terminal(process, ours))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        os.close(one.fd)
