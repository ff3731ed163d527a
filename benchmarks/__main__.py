"""`python -m benchmarks [NAME …]`: measure, print a table, write reports/bench.json.

Every figure is taken from outside, of real processes. Absolute times drift between machines and minutes: compare
the ratios, which come from the same run. smtp-source does not pipeline, Pager does.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.intake import intake
from benchmarks.latency import beside, busy, idle, idle_cost
from benchmarks.river import river
from benchmarks.starts import starts

SIZES = {"river": 100_000, "intake": 1_000_000, "busy": 100_000, "beside": 100_000}
BENCHES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "river": lambda directory: river(directory, SIZES["river"]),
    "intake": lambda directory: intake(directory, SIZES["intake"]),
    "idle": idle,
    "busy": lambda directory: busy(directory, SIZES["busy"]),
    "beside": lambda directory: beside(directory, SIZES["beside"]),
    "idle_cost": idle_cost,
    "starts": starts,
}
REPORT = Path("reports/bench.json")


def main() -> None:
    """Run the named benchmarks, or all."""
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"no benchmark {unknown[0]!r}: {', '.join(BENCHES)}")
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_version()}"}
    for name in names:
        with tempfile.TemporaryDirectory(prefix="pagerd-bench-") as directory:
            print(f"{name} …", file=sys.stderr, flush=True)
            results[name] = BENCHES[name](Path(directory))
        for what, figure in results[name].items():
            print(f"{name:10} {what:32} {figure:>14,.2f}", flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written to {REPORT}", file=sys.stderr)


if __name__ == "__main__":
    main()
