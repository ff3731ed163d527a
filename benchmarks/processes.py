"""Real processes for benchmarks: a Pager server, Postfix' smtp-sink, Postfix' smtp-source."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICK = os.sysconf("SC_CLK_TCK")


def tool(name: str) -> str:
    """Return the path of a Postfix tool; these stand in sbin, which is not in everybody's path."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(f"{name} is not here: install Debian's package postfix")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def smtp_sink() -> Iterator[int]:
    """Hold an smtp-sink up that counts and forgets; yield its port."""
    port = free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = subprocess.Popen([tool("smtp-sink"), *user, f"127.0.0.1:{port}", "1000"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def smtp_source(port: int, messages: int) -> float:
    """Return the messages per second that smtp-source gets rid of: ten sessions, 3,600 bytes, no pipelining."""
    command = [tool("smtp-source"), "-d", "-s", "10", "-l", "3600", "-m", str(messages), f"127.0.0.1:{port}"]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return messages / (time.perf_counter() - began)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise SystemExit(f"nothing listens on port {port}")


class Server:
    """A `pagerd serve` process with its own data directory and an API key with every scope."""

    def __init__(self, directory: Path, smtp_port: int, **settings: str) -> None:
        self.port = free_port()
        self.key = issue_key(directory)
        self.environment = os.environ | {
            "PAGERD_STORE": f"sqlite:///{directory}/pagerd.db",
            "PAGERD_PORT": str(self.port),
            "PAGERD_LOG": "warning",
            "PAGERD_PROVIDERS__SINK__KIND": "smtp",
            "PAGERD_PROVIDERS__SINK__URL": f"smtp://127.0.0.1:{smtp_port}",
            "PAGERD_PROVIDERS__SINK__FROM": "Shop <hi@shop.example>",
            "PAGERD_OPEN_METRICS": "true",
            **settings,
        }
        self.process = self._start(directory)

    def _start(self, directory: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pagerd.cli.pagerd", "serve"]
        process = subprocess.Popen(command, env=self.environment, cwd=directory, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if "ready" not in process.stdout.readline():
            raise SystemExit("pagerd serve did not come up")
        return process

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, raw, {"Authorization": f"Bearer {self.key}", "Content-Type": kind, **headers})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:2000].decode()}")
        return json.loads(answer) if answer.startswith((b"{", b"[")) else answer

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak_memory(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def issue_key(directory: Path) -> str:
    """Return a new API key with every scope, made while no server runs."""
    program = (
        "import asyncio\n"
        "from contextlib import AsyncExitStack\n"
        "from pagerd import config\n"
        "from pagerd.guard.permissions import Permission\n"
        "from pagerd.wiring.house import open_house\n"
        "from pagerd.wiring.workspace import WORKSPACE\n"
        "async def main():\n"
        "    async with AsyncExitStack() as stack:\n"
        "        house = await open_house(config.read(None, {}), stack)\n"
        "        scopes = tuple(p.value for p in Permission)\n"
        "        print((await house.keys.issue(WORKSPACE, 'bench', scopes))[0])\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"PAGERD_STORE": f"sqlite:///{directory}/pagerd.db"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]
