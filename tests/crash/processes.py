"""The two processes of a crash test, seen from outside: the server under test, and the sink."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

T = TypeVar("T")

PATIENCE = 60.0
SINK = Path(__file__).with_name("sink.py")


def until(probe: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Return what ``probe`` returns once that is not ``None``; the one place where a crash test waits by asking."""
    deadline = time.monotonic() + patience
    pause = threading.Event()
    while (found := probe()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        pause.wait(0.02)
    return found


class Lines:
    """The lines of a pipe, read by a thread, so that waiting for one can have an end."""

    def __init__(self, pipe: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._pipe:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def next(self, patience: float = PATIENCE) -> str:
        """Return the next line, empty at the end."""
        return self._lines.get(timeout=patience)

    def close(self) -> None:
        self._thread.join()
        self._pipe.close()


class Accepted(NamedTuple):
    """A line of the sink's journal."""

    at: float
    number: int
    message_id: str
    to: str
    digest: str
    size: int
    beside: int


class Sink:
    """The sink process; its journal outlives it."""

    def __init__(self, folder: Path, *, refuse: Mapping[str, str] | None = None, beside: Path | None = None) -> None:
        self.journal = folder / "sink.journal"
        self.mails_file = folder / "sink.mails"
        self._beside = beside
        self._refuse = refuse or {}
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start, on the port of before if there was one."""
        words = [sys.executable, "-S", str(SINK), "--journal", str(self.journal), "--mails", str(self.mails_file)]
        words += ["--port", str(self.port)]
        words += [f"--refuse={text}={reply}" for text, reply in self._refuse.items()]
        words += ["--beside", str(self._beside)] if self._beside else []
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._said = Lines(self._process.stdout)
        self.port = int(self._said.next().removeprefix("listening "))

    def order(self, do: str, **how: Any) -> str:
        """Give an order; return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **how}) + "\n")
        self._process.stdin.flush()
        while (answer := self._said.next()) == "reached":
            pass
        return answer

    def reached(self, patience: float = PATIENCE) -> None:
        """Return when the mail of the last order ended."""
        assert self._said.next(patience) == "reached"

    def ended(self) -> int:
        """Return how many mails ended so far."""
        return int(self.order("count").removeprefix("count "))

    def accepted(self) -> list[Accepted]:
        """Return the journal."""
        rows = (line.split("\t") for line in self.journal.read_text("utf-8").splitlines())
        return [Accepted(float(a), int(n), i, to, d, int(s), int(b)) for a, n, i, to, d, s, b in rows]

    def mails(self) -> list[bytes]:
        """Return the mails, as they were accepted."""
        found, data, at = [], self.mails_file.read_bytes(), 0
        while at < len(data):
            line = data.index(b"\n", at)
            size = int(data[at:line])
            found.append(data[line + 1 : line + 1 + size])
            at = line + 1 + size
        return found

    def stop(self) -> None:
        """End; the journal stays."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._said.close()


class Server:
    """``pagerd serve`` on a data directory, started as often as needed."""

    def __init__(self, data: Path, port_of_sink: int, *, log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._log = log
        self._environment = environment(data) | {
            "PAGERD_PORT": "0",
            "PAGERD_PROVIDERS__MAIL__KIND": "smtp",
            "PAGERD_PROVIDERS__MAIL__URL": f"smtp://127.0.0.1:{port_of_sink}",
            "PAGERD_PROVIDERS__MAIL__FROM": "Shop <shop@shop.example>",
            **(settings or {}),
        }
        self._process: subprocess.Popen[str] | None = None
        self._said: Lines | None = None
        self.url = ""
        self.starts = 0
        self.ends: list[int] = []

    def start(self, **settings: str) -> bool:
        """Start, and return whether it got ready; ``settings`` are for this life only."""
        self.launch(**settings)
        return self.ready()

    def launch(self, **settings: str) -> None:
        """Start, and wait for nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pagerd.cli.pagerd", "serve"],
                env=self._environment | settings,
                cwd=self.data,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self._said = Lines(self._process.stdout)
        self.url = ""
        self.starts += 1

    def ready(self) -> bool:
        """Return whether it says that it is ready before it ends."""
        assert self._said is not None
        line = self._said.next()
        self.url = line.rpartition(" ")[2]
        return bool(line)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def gone(self, patience: float = PATIENCE) -> int:
        """Return how it ended, once it has."""
        assert self._process is not None
        assert self._said is not None
        code = self._process.wait(patience)
        self._said.close()
        self._process = None
        self.ends.append(code)
        return code

    def lives_on(self, seconds: float) -> bool:
        """Return whether it is still there after ``seconds``."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def shoot(self) -> None:
        """End it as ``kill -9`` does."""
        self.signal(signal.SIGKILL)
        self.gone()

    def stop(self) -> int:
        """End it as a service manager does; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.gone()

    def end(self) -> None:
        """End it if it is there: for the end of a test, however that came."""
        if self._process is not None:
            self._process.kill()
            self.gone()

    @property
    def shots(self) -> int:
        """How often it was killed."""
        return self.ends.count(-signal.SIGKILL)

    def log_text(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""


def environment(data: Path) -> dict[str, str]:
    """Return an environment with nothing of Pager's but where its data is.

    Compiled modules are kept outside of the source tree: a server that is started hundreds of times must not compile
    itself each time.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PAGERD_") and k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PAGERD_STORE": f"sqlite:///{data / 'pagerd.db'}", "PYTHONWARNINGS": "default"}
