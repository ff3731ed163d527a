"""``python -m tests.crash.torture``: every cell of the kill matrix many times, a thousand random kills, power losses.

Writes ``reports/kill-matrix.json`` after each run, so that an interrupted torture goes on where it was, and at the end
``reports/kill-matrix.md``, which it also prints. Exit code 1 where a promise was broken; what was left of that run
stays in ``reports/torture``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

from . import matrix, outage, powerless, storm
from .joining import Join
from .river import Installation, installed

KILLS_A_STORM = 20
PEOPLE_OF_A_STORM = 20_000
OUTAGES_A_TAPE = 10
NUMBERS = ("admitted", "told", "unknown", "other", "lost", "duplicates", "flagged", "silent")


class Job(NamedTuple):
    """One run: ``row`` is the line of the table that it counts in."""

    name: str
    row: str
    what: str
    policy: str
    work: Callable[[Path], list[tuple[int, int, Join]]]
    """Returns (deaths, window, what became of everybody) for each time the promises were looked at."""


def jobs(options: argparse.Namespace, installation: Installation) -> Iterator[Job]:
    """Iterate over everything there is to do, a little of each kind first."""
    for seed in range(options.seeds):
        for place in matrix.PLACES:
            for policy in matrix.POLICIES:
                name = f"{place.name}/{policy}/{seed}"
                yield Job(name, place.name, place.what, policy, _cell(installation, place, policy, seed))
    if powerless.compiler() is None:
        print("no C compiler: power losses are left out", file=sys.stderr)
    else:
        for seed in range(-(-options.outages // OUTAGES_A_TAPE)):
            what = f"power lost, {outage.SESSIONS} sessions"
            yield Job(f"outage/{seed}", "power", what, "resend", _outages(installation, seed))
    for seed in range(-(-options.kills // KILLS_A_STORM)):
        what = f"random, over sessions of {PEOPLE_OF_A_STORM:,}"
        yield Job(f"storm/{seed}", "random", what, "resend", _storm(installation, seed))


def _cell(installation: Installation, place: matrix.Place, policy: str, seed: int) -> Any:
    def work(folder: Path) -> list[tuple[int, int, Join]]:
        cell = matrix.run(folder, installation, place, policy, seed)
        return [(int(cell.killed), matrix.WINDOW, cell.result)]

    return work


def _storm(installation: Installation, seed: int) -> Any:
    def work(folder: Path) -> list[tuple[int, int, Join]]:
        found = storm.run(folder, installation, people=PEOPLE_OF_A_STORM, kills=KILLS_A_STORM, seed=seed)
        return [(found.kills, storm.WINDOW, found.result)]

    return work


def _outages(installation: Installation, seed: int) -> Any:
    def work(folder: Path) -> list[tuple[int, int, Join]]:
        tape = outage.record(folder, installation)
        found = []
        for n, at in enumerate(outage.moments(tape, OUTAGES_A_TAPE, seed)):
            luck = outage.LUCK[(n + seed) % len(outage.LUCK)]
            found.append((1, 2 * outage.WINDOW, outage.after(tape, folder / f"outage-{n}", at, luck, seed + n)))
        return found

    return work


class Report:
    """What was found, kept in a file after each run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._json = folder / "kill-matrix.json"
        self._table = folder / "kill-matrix.md"
        self.runs: dict[str, dict[str, Any]] = {}
        if self._json.exists():
            self.runs = json.loads(self._json.read_text("utf-8"))["runs"]

    def add(self, job: Job, looks: list[tuple[int, int, Join]], wrong: list[str]) -> None:
        """Take a run down."""
        run: dict[str, Any] = {"row": job.row, "what": job.what, "policy": job.policy, "looks": len(looks)}
        run["deaths"] = sum(deaths for deaths, _, _ in looks)
        run["bound"] = sum(deaths * window for deaths, window, _ in looks)
        run |= {name: sum(getattr(found, name) for _, _, found in looks) for name in NUMBERS}
        run["wrong"] = wrong + [word for _, _, found in looks for word in found.wrong]
        self.runs[job.name] = run
        self.write()

    def write(self) -> None:
        """Write the file anew."""
        machine = {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": platform.platform(),
            "processors": os.cpu_count(),
        }
        fresh = self._json.with_suffix(".new")
        fresh.write_text(json.dumps({"machine": machine, "runs": self.runs}, indent=1) + "\n", "utf-8")
        fresh.replace(self._json)

    def table(self) -> str:
        """Return and write the readable form."""
        head = ("killed at", "", "policy", "kills", *NUMBERS, "at most flagged", "broken promises")
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for run in self.runs.values():
            rows.setdefault((run["row"], run["what"], run["policy"]), []).append(run)
        rows[("all", "", "")] = list(self.runs.values())
        for (row, what, policy), runs in rows.items():
            totals = [sum(run[name] for run in runs) for name in ("deaths", *NUMBERS, "bound")]
            broken = sum(len(run["wrong"]) for run in runs)
            lines.append("| " + " | ".join([row, what, policy, *(f"{n:,}" for n in totals), f"{broken:,}"]) + " |")
        text = "\n".join(lines) + "\n"
        self._table.write_text(text, "utf-8")
        return text


def attempt(job: Job, folder: Path) -> tuple[Job, list[tuple[int, int, Join]], list[str]]:
    """Run one job in a folder of its own, which goes unless something was wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        looks = job.work(folder)
    except Exception as error:  # noqa: BLE001 - a run that can't be joined is a broken promise, and the others go on
        return job, [], [f"{type(error).__name__}: {error}"]
    if not any(found.wrong for _, _, found in looks):
        shutil.rmtree(folder)
    return job, looks, []


def torture(options: argparse.Namespace) -> int:
    """Run all that is not in the report yet, while there is time; return how many promises were broken."""
    report = Report(options.reports)
    scratch = options.reports.absolute() / "torture"
    shutil.rmtree(scratch / "installation", ignore_errors=True)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(scratch / "pycache"))
    installation = installed(scratch / "installation")
    todo = [job for job in jobs(options, installation) if job.name not in report.runs]
    began, deadline = time.monotonic(), time.monotonic() + options.minutes * 60
    waiting, under_way, done = iter(todo), set[Future[Any]](), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        while True:
            while len(under_way) < options.jobs and time.monotonic() < deadline and (job := next(waiting, None)):
                under_way.add(pool.submit(attempt, job, scratch / job.name.replace("/", "-")))
            if not under_way:
                break
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for job, looks, wrong in (each.result() for each in ended):
                report.add(job, looks, wrong)
                done += 1
                said = "; ".join(report.runs[job.name]["wrong"])[:500] or "every promise held"
                print(f"{time.monotonic() - began:6.0f} s  {done}/{len(todo)}  {job.name}: {said}", flush=True)
    report.write()
    print(f"\n{report.table()}")
    if done < len(todo):
        print(f"{len(todo) - done} runs are left: run it again to go on.")
    return sum(len(run["wrong"]) for run in report.runs.values())


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="random kills")
    parser.add_argument("--seeds", type=int, default=5, help="times that each cell of the matrix is run")
    parser.add_argument("--outages", type=int, default=100, help="power losses")
    parser.add_argument("--minutes", type=float, default=90.0, help="start nothing new after so long")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.add_argument("--fresh", action="store_true", help="forget an earlier report")
    options = parser.parse_args()
    if options.fresh:
        (options.reports / "kill-matrix.json").unlink(missing_ok=True)
    sys.exit(1 if torture(options) else 0)


if __name__ == "__main__":
    main()
