"""Intake: a million people admitted, durable and encrypted, before the answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.processes import Server, smtp_sink
from benchmarks.work import PART, people, publish


def intake(directory: Path, count: int) -> dict[str, Any]:
    """Upload ``count`` people in parts, start the session, and cancel it; the loader's own time is taken off."""
    with smtp_sink() as port:
        server = Server(directory, port, PAGERD_WORKER__LANES="2", PAGERD_WORKER__URGENT_LANES="0")
        try:
            publish(server)
            later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
            body = {"template": "bench", "audience": {"upload": True}, "send_at": later}
            session = server.call("POST", "/v1/sessions", body)["id"]
            cpu, waited, part = server.cpu_seconds(), 0.0, 0
            for part, rows in enumerate(people(count, "m"), 1):
                began = time.perf_counter()
                server.call("PUT", f"/v1/sessions/{session}/parts/{part}", rows, "application/x-ndjson")
                waited += time.perf_counter() - began
            began = time.perf_counter()
            view = server.call("POST", f"/v1/sessions/{session}/start", {"parts": part, "recipients": count})
            start = time.perf_counter() - began
            if view["total"] != count:
                raise SystemExit(f"{view['total']} instead of {count}")
            return {
                "people": count,
                "rows_a_part": PART,
                "seconds": waited + start,
                "of_that_start_seconds": start,
                "people_per_second": count / (waited + start),
                "cpu_us_per_person": (server.cpu_seconds() - cpu) / count * 1e6,
                "peak_memory_mib": server.peak_memory() / 2**20,
            }
        finally:
            server.stop()
