"""Processes that a demonstration starts, and always ends: a server, a sink, a command that is shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from pagerd.core.errors import Unavailable

_READY: Final = 30.0
_STOP: Final = 40.0
_TAIL: Final = 2000


class Child:
    """A process that says a line when it is ready. What it says to standard error is kept in ``log``."""

    def __init__(self, arguments: Sequence[str], ready: str, log: Path, *, folder: Path | None = None) -> None:
        """Start ``python -m …``; return once a line begins with ``ready``, whose rest is :attr:`said`."""
        self._log = log
        self._name = arguments[0]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                cwd=folder,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on
            )
        self.said = self._wait_for(ready)

    def _wait_for(self, ready: str) -> str:
        out = self.process.stdout
        assert out is not None  # noqa: S101 - asked for above
        limit = threading.Timer(_READY, self.process.kill)
        limit.start()
        try:
            for line in out:
                if line.startswith(ready):
                    return line.removeprefix(ready).strip()
        finally:
            limit.cancel()
        self.kill()
        said = self._log.read_text("utf-8", "replace")[-_TAIL:].strip()
        raise Unavailable(f"{self._name} did not start: {said or 'it said nothing'}")

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        """Ask it to stop, and wait; return its exit code. Twice is harmless."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._gone()

    def _gone(self) -> int:
        code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _environment() -> dict[str, str]:
    """Return the environment without settings of pagerd: a demonstration is to be the same everywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAGERD_")}
    return kept | {"PAGERD_CAPTURE__PORT": "0"}


def server(data: Path, *, config: Path | None = None, port: int = 0) -> Child:
    """Start ``pagerd dev`` on ``data``; its address is :attr:`Child.said`."""
    arguments = ["pagerd.cli.pagerd", "dev", "--data", str(data), "--port", str(port)]
    if config is not None:
        arguments += ["--config", str(config)]
    return Child(arguments, "pagerd is ready on ", data.parent / "server.log", folder=data.parent)


def shown(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Show a command of pagerctl's, run it, and return its exit code."""
    print(f"\n$ pagerctl {' '.join(words)}", flush=True)
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "pagerd.cli.pagerd", "ctl", *words],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode
