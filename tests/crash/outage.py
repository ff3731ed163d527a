"""A recorded life of an installation, and what is left of the promises after a power loss at any moment of it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import NamedTuple

from . import powerless
from .joining import Join, join_one, strangers
from .processes import Accepted
from .river import Installation, River, person

SESSIONS = 5
PEOPLE = 60
WINDOW = 20
SETTINGS = {"PAGERD_WORKER__WINDOW": str(WINDOW), "PAGERD_WORKER__URGENT_WINDOW": "2"}
LUCK: tuple[powerless.Luck, ...] = ("none", "some", "all")


class Tape(NamedTuple):
    """A recording: where it began, its log, when each session was admitted, and what the sink had when."""

    base: Path
    root: Path
    log: Path
    key: str
    people: dict[str, list[str]]
    admitted_at: dict[str, int]
    accepted: list[Accepted]
    began: int

    @property
    def length(self) -> int:
        return self.log.stat().st_size


def record(folder: Path, installation: Installation) -> Tape:
    """Record two lives of a server: sessions are admitted, it is shot, it goes on, it is stopped."""
    base, root, log = folder / "base", folder / "data", folder / "writes.log"
    installation.copy(base)
    here = installation.copy(root)
    log.touch()
    loaded = {"LD_PRELOAD": str(powerless.library(folder)), "POWERLESS_LOG": str(log), "POWERLESS_ROOT": str(root)}
    admitted_at: dict[str, int] = {}
    with River(folder, here, settings=SETTINGS | loaded, beside=log) as river:
        river.revive()
        began = log.stat().st_size
        for n in range(SESSIONS):
            if n == SESSIONS // 2:
                river.sink.order("kill", pid=river.server.pid, at=PEOPLE // 2, when="before")
            answer = river.admit([person(m, f"s{n}-") for m in range(PEOPLE)])
            admitted_at[answer.body["id"]] = log.stat().st_size
        for session in river.people:
            river.finished(session)
        assert river.server.shots == 1
        assert river.server.stop() == 0
        accepted = river.sink.accepted()
        return Tape(base, root, log, here.key, dict(river.people), admitted_at, accepted, began)


def moments(tape: Tape, n: int, seed: int) -> list[int]:
    """Return ``n`` lengths of the log, spread at random over all of it from the first moment it served."""
    chance = random.Random(seed)
    step = (tape.length - tape.began) / n
    return [int(tape.began + step * (k + chance.random())) for k in range(n)]


def after(tape: Tape, folder: Path, at: int, luck: powerless.Luck, seed: int) -> Join:
    """Lose the power at a length of the log, start a server on what is left, and join once everything is over."""
    folder.mkdir()
    data = powerless.image(tape.base, tape.log, tape.root, at, folder / "data", luck=luck, seed=seed)
    with River(folder, Installation(data, tape.key), settings=SETTINGS) as river:
        river.revive()
        there = {view["id"] for view in river.insist("GET", "/v1/sessions?limit=500").body["items"]}
        promised = {session for session, when in tape.admitted_at.items() if when <= at}
        wrong = [f"acknowledged, and gone: {session}" for session in promised - there]
        river.people = {session: tape.people[session] for session in there & tape.people.keys()}
        total = Join(0, 0, 0, 0, 0, 0, 0, 0, wrong)
        views = {session: river.finished(session) for session in river.people}
        before = [mail for mail in tape.accepted if mail.beside <= at]
        accepted = before + (river.sink.accepted() if river.sink.journal.exists() else [])
        for session, people in river.people.items():
            total += join_one(views[session], people, river.recipients(session), accepted)
        wrong = strangers(tape.people.values(), accepted) + river.recount()
        shutil.rmtree(data)
        if total.flagged > 2 * WINDOW:  # of the recorded kill, and of the power loss
            wrong.append(f"{total.flagged} flagged")
        return total._replace(wrong=total.wrong + wrong)
