"""Latency: from the API call to the sink, idle and while a big session runs; and a small session beside a big one."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import Server, smtp_sink
from benchmarks.work import admit, finish, publish

_MESSAGE = {"template": "bench", "data": {"name": "Ada", "order": "A-1", "total": 1.5}}


@contextlib.contextmanager
def journal(directory: Path) -> Iterator[tuple[int, Path]]:
    """Hold a sink up that writes down when each mail came; yield its port and its journal."""
    file = directory / "sink.journal"
    command = [sys.executable, "-m", "pagerd.adapters.capture.sink", "--port", "0", "--journal", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rpartition(":")[2]), file
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def idle(directory: Path, messages: int = 200) -> dict[str, Any]:
    """Send single messages to an idle server, one after another; return milliseconds from the call to the sink."""
    with journal(directory) as (port, file):
        server = Server(directory, port)
        try:
            publish(server)
            times = _send(server, file, messages, "idle")
            return {"messages": messages, **_spread(times)}
        finally:
            server.stop()


def busy(directory: Path, people: int) -> dict[str, Any]:
    """Send urgent messages while a session of ``people`` runs."""
    with journal(directory) as (port, file):
        server = Server(directory, port)
        try:
            publish(server)
            finish(server, admit(server, 500, "warm"))
            big = admit(server, people, "big")
            times = _send(server, file, 200, "urgent")
            still = server.call("GET", f"/v1/sessions/{big}")["to_go"]
            finish(server, big)
            figures = {f"urgent_{name}": value for name, value in _spread(times).items()}
            return {"big_session": people, "to_go_when_measured": still, **figures}
        finally:
            server.stop()


def beside(directory: Path, people: int, times: int = 11) -> dict[str, Any]:
    """Admit 100 people alone, and while a session of ``people`` runs; return medians from the admission to the end."""
    with smtp_sink() as port:
        server = Server(directory, port)
        try:
            publish(server)
            finish(server, admit(server, 500, "warm"))
            alone = statistics.median(_small(server, f"alone{i}-") for i in range(times))
            big = admit(server, people, "big")
            busy = statistics.median(_small(server, f"beside{i}-") for i in range(times))
            still = server.call("GET", f"/v1/sessions/{big}")["to_go"]
            finish(server, big)
            if not still:
                raise SystemExit("the big session was over before the small ones were: take a larger one")
            return {
                "big_session": people,
                "to_go_when_measured": still,
                "hundred_alone_ms": alone * 1000,
                "hundred_beside_ms": busy * 1000,
                "hundred_ratio": busy / alone,
            }
        finally:
            server.stop()


def _small(server: Server, tag: str) -> float:
    """Return the seconds from the admission of 100 people to the end of their session."""
    rows = [{"to": f"{tag}{i}@example.com", "data": {"name": "Ada", "order": str(i), "total": 2}} for i in range(100)]
    began = time.perf_counter()
    session = server.call("POST", "/v1/sessions", {"template": "bench", "audience": {"recipients": rows}})["id"]
    finish(server, session, 0.01)
    return time.perf_counter() - began


def _send(server: Server, file: Path, messages: int, tag: str) -> list[float]:
    called: dict[str, float] = {}
    for number in range(messages):
        to = f"{tag}{number}@example.com"
        called[to] = time.time()
        server.call("POST", "/v1/messages", {**_MESSAGE, "to": to})
        time.sleep(0.01)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        arrived = _arrivals(file)
        if called.keys() <= arrived.keys():
            return [arrived[to] - at for to, at in called.items()]
        time.sleep(0.05)
    raise SystemExit("some messages never came")


def _arrivals(file: Path) -> dict[str, float]:
    rows = (line.split("\t") for line in file.read_text().splitlines())
    return {row[2]: float(row[0]) for row in rows if len(row) == 4}


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"p50_ms": statistics.median(ordered) * 1000, "p99_ms": ordered[int(len(ordered) * 0.99) - 1] * 1000}


def idle_cost(directory: Path, seconds: float = 10.0) -> dict[str, Any]:
    """Return the share of a core that a server with nothing to do takes."""
    with smtp_sink() as port:
        server = Server(directory, port)
        try:
            publish(server)
            finish(server, admit(server, 100, "warm"))
            time.sleep(2)
            before = server.cpu_seconds()
            time.sleep(seconds)
            return {"seconds": seconds, "percent_of_a_core": (server.cpu_seconds() - before) / seconds * 100}
        finally:
            server.stop()
