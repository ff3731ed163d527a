"""The real command in a real process, seen from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

COMMAND = [sys.executable, "-m", "pagerd.cli.pagerd"]
SHIPPED = {
    "variables": [{"name": "name", "type": "string", "required": True}, {"name": "secret", "type": "string"}],
    "from": "Shop <shop@shop.example>",
    "variants": [
        {
            "channel": "email",
            "locale": "en",
            "subject": "For {{ name }}",
            "text": "Dear {{ name }},\nyour parcel is on its way. {{ secret }}\n",
        }
    ],
}


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine's person is left."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAGERD_", "PAGERCTL_"))}
    return kept | {"PAGERD_CAPTURE__PORT": "0", "PYTHONUNBUFFERED": "1"} | more


class Server:
    """A server process on a data directory of its own."""

    def __init__(self, folder: Path, role: str, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.errors = folder / f"errors-{len(list(folder.glob('errors-*')))}.log"
        with self.errors.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, role, "--data", str(self.data), *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                cwd=folder,
                env=environment(**settings),
            )
        self.welcome: list[str] = []
        self.url = self._ready()
        self.smtp = next((line.split()[1] for line in self.welcome if line.strip().startswith("SMTP")), "")
        self.http = httpx2.Client(base_url=self.url, timeout=30)

    def _ready(self) -> str:
        assert self.process.stdout is not None
        limit = threading.Timer(30, self.process.kill)
        limit.start()
        url = ""
        for line in self.process.stdout:
            self.welcome.append(line)
            if line.startswith("pagerd is ready on "):
                url = line.split()[-1]
            if line.startswith("Ctrl-C") or (url and "serve" in self.process.args):
                break
        limit.cancel()
        assert url, self.errors.read_text()
        return url

    @property
    def key(self) -> str:
        """The key that ``pagerd dev`` made."""
        return (self.data / "live.key").read_text().strip()

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> httpx2.Response:
        """Ask with the key."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request(
            method, path, json=body, headers={"Authorization": f"Bearer {key or self.key}"} | given
        )

    def publish(self, name: str = "shipped", draft: Mapping[str, Any] = SHIPPED) -> None:
        """Save and publish a template."""
        saved = self.ask("PUT", f"/v1/templates/{name}", draft)
        assert saved.status_code < 300, saved.text
        assert self.ask("POST", f"/v1/templates/{name}/publish").status_code < 300

    def send(self, people: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
        """Admit a session; return it."""
        body = {"template": "shipped", "audience": {"recipients": list(people)}, **options}
        answer = self.ask("POST", "/v1/sessions", body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def session(self, id: str) -> dict[str, Any]:
        """Return a session as it is now."""
        return self.ask("GET", f"/v1/sessions/{id}").json()

    def finished(self, id: str) -> dict[str, Any]:
        """Return a session once it is over: its events end then."""
        with self.http.stream(
            "GET", f"/v1/sessions/{id}/events", headers={"Authorization": f"Bearer {self.key}"}
        ) as stream:
            for _ in stream.iter_lines():
                pass
        return self.session(id)

    def stop(self) -> int:
        """Ask the server to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Return the exit code of a server that is stopping."""
        self.http.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(60)

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.process.kill()
        self.ended()


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers; all of them end with the test."""
    running: list[Server] = []

    def begin(role: str = "dev", *arguments: str, folder: Path = tmp_path, **settings: str) -> Server:
        server = Server(folder, role, ["--port", "0", *arguments], settings)
        running.append(server)
        return server

    yield begin
    for server in running:
        if server.process.poll() is None:
            server.kill()


def pagerd(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment(**settings),
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """Hold a port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
