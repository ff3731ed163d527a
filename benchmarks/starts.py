"""Starts: until `pagerd dev` is ready, and `pagerctl --help`."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def starts(directory: Path, runs: int = 5) -> dict[str, Any]:
    """Return medians over ``runs`` fresh processes, the first of each not counted."""
    dev = [_dev(directory / f"dev{i}") for i in range(runs + 1)][1:]
    helps = [_help() for _ in range(runs + 1)][1:]
    return {
        "runs": runs,
        "pagerd_dev_ready_seconds": statistics.median(dev),
        "pagerctl_help_seconds": statistics.median(helps),
    }


def _dev(folder: Path) -> float:
    folder.mkdir()
    command = [sys.executable, "-m", "pagerd.cli.pagerd", "dev", "--port", "0"]
    environment = os.environ | {"PAGERD_CAPTURE__PORT": "0"}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    if "ready" not in process.stdout.readline():
        raise SystemExit("pagerd dev did not come up")
    took = time.perf_counter() - began
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return took


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pagerd.cli.pagerctl", "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
