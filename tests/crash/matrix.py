"""The kill matrix: every place where a process can die, under both policies for doubt."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import NamedTuple

from .joining import Join, join
from .river import Installation, River, person

PEOPLE = 60
WINDOW = 12
BATCH = 5
SETTINGS = {"PAGERD_WORKER__WINDOW": str(WINDOW), "PAGERD_WORKER__URGENT_WINDOW": "0", "PAGERD_WORKER__LANES": "8"}


class Place(NamedTuple):
    """Where the process is killed: a failpoint, or by the sink around an answer; ``passes``: at one of which."""

    name: str
    what: str
    passes: int
    by_sink: str = ""
    batch: int = BATCH


PLACES = (
    Place("K0", "before admission commits", 1),
    Place("K1", "after it, before the 202", 1),
    Place("K2", "before the relay wakes the desk", 3),
    Place("K3", "before a round of claims", 4),
    Place("K4", "a batch is ready, not claimed", 4),
    Place("K5", "claimed", 4),
    Place("K6", "prepared", 10),
    Place("K7", "intent written", 10),
    Place("K8", "before the last byte", 40),
    Place("K8-lost", "last byte written, nothing taken, no answer", 40, by_sink="unaccepted"),
    Place("K8-taken", "last byte written, mail taken, no answer", 40, by_sink="before"),
    Place("K9-said", "the answer is on its way", 40, by_sink="after"),
    Place("K9", "answer read", 10),
    Place("K10", "outcome of a window written", 3, batch=30),
    Place("K11", "batch settled", 10),
    Place("K12", "batch acknowledged", 10),
)
POLICIES = ("resend", "hold")


class Cell(NamedTuple):
    """What became of one cell."""

    place: str
    policy: str
    seed: int
    killed: bool
    replayed: bool
    result: Join


def run(folder: Path, installation: Installation, place: Place, policy: str, seed: int) -> Cell:
    """Kill a server at ``place`` while it tells sixty people, start it again, and join. Seed 0: in the middle."""
    at = (place.passes + 1) // 2 if seed == 0 else random.Random(seed).randint(1, place.passes)
    people = [person(n) for n in range(PEOPLE)]
    with River(folder, installation.copy(folder / "data"), settings=SETTINGS) as river:
        if place.by_sink:
            river.server.start()
            river.sink.order("kill", pid=river.server.pid, at=at, when=place.by_sink)
        else:
            river.server.start(PAGERD_TESTING__FAILPOINT=f"{place.name}:{at}")
        answer = river.admit(people, batch=place.batch, on_doubt=policy)
        river.finished(answer.body["id"])
        listed = river.insist("GET", "/v1/sessions").body["items"]
        shots = river.server.shots
        result = join(river, window=WINDOW, deaths=shots)
        if len(listed) != 1:
            result.wrong.append(f"{len(listed)} sessions of one request")
        if river.server.ends[:1] != [-signal.SIGKILL]:
            result.wrong.append(f"it did not die there: {river.server.ends}\n{river.server.log_text()[-2000:]}")
        replayed = answer.headers.get("idempotent-replayed") == "true"
        return Cell(place.name, policy, seed, shots == 1, replayed, result)
