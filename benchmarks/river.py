"""The river: people through everything to smtp-sink, beside smtp-source in the same run."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import Server, smtp_sink, smtp_source
from benchmarks.work import admit, finish, publish

_SOURCE = 30_000


def river(directory: Path, people: int, rounds: int = 3) -> dict[str, Any]:
    """Tell ``people``, ``rounds`` times, smtp-source before each and after the last; return medians."""
    ratios, rates, sources, cpus = [], [], [], []
    with smtp_sink() as port:
        server = Server(directory, port)
        try:
            publish(server)
            finish(server, admit(server, 2_000, "warm"))
            before = smtp_source(port, _SOURCE)
            for number in range(rounds):
                rate, cpu = _one(server, people, f"r{number}-")
                after = smtp_source(port, _SOURCE)
                rates.append(rate)
                cpus.append(cpu)
                sources.append((before + after) / 2)
                ratios.append(rate / sources[-1])
                before = after
            metrics = server.call("GET", "/metrics").decode()
            return {
                "people": people,
                "rounds": rounds,
                "messages_per_second": statistics.median(rates),
                "smtp_source_per_second": statistics.median(sources),
                "ratio": statistics.median(ratios),
                "cpu_us_per_message": statistics.median(cpus),
                "peak_memory_mib": server.peak_memory() / 2**20,
                "longest_write_transaction_ms": metric(metrics, "pagerd_store_longest_transaction_seconds") * 1000,
                "longest_commit_ms": metric(metrics, "pagerd_store_longest_commit_seconds") * 1000,
                "messages_per_commit": people * rounds / metric(metrics, "pagerd_store_commits"),
            }
        finally:
            server.stop()


def _one(server: Server, people: int, tag: str) -> tuple[float, float]:
    """Return (messages a second, CPU µs a message), from the start of the session to its end, admission apart."""
    session = admit(server, people, tag)
    began, cpu = time.perf_counter(), server.cpu_seconds()
    already = server.call("GET", f"/v1/sessions/{session}")["told"]
    view = finish(server, session, 0.1)
    spent, took = server.cpu_seconds() - cpu, time.perf_counter() - began
    if view["told"] != people:
        raise SystemExit(f"only {view['told']} of {people} were told: {view['reasons']}")
    return (people - already) / took, spent / (people - already) * 1e6


def metric(page: str, name: str) -> float:
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(name + " "))
