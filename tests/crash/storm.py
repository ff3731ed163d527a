"""Random SIGKILLs over big sessions: while it uploads, starts up, sends, settles, or is just idle."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any, NamedTuple

from .joining import Join, join
from .river import FINISHED, Died, Installation, River, person

WINDOW = 50
SETTINGS = {"PAGERD_WORKER__WINDOW": str(WINDOW), "PAGERD_WORKER__URGENT_WINDOW": "5"}
LONG = 300.0


class Storm(NamedTuple):
    """What became of an installation that was shot ``kills`` times."""

    seed: int
    kills: int
    sessions: int
    poisoned: int
    result: Join


class _Gunman:
    """Kills a server at random: at a mail that it is sending, or after a random time from its start."""

    def __init__(self, river: River, seed: int, kills: int, mails: int) -> None:
        self._river = river
        self._chance = random.Random(seed)
        self._between = max(2, mails // (kills + 1))
        self.left = kills

    def shoot(self, session: str) -> bool:
        """Start a server and kill it once; return ``False`` where the session finished before."""
        server = self._river.server
        if not server.running:
            server.end()
            server.launch()
        if self._chance.random() < 0.2:
            self._by_time()
        elif not self._by_mail(session):
            return False
        assert server.gone() == -signal.SIGKILL
        self._river.sink.order("forget")
        self.left -= 1
        return True

    def _by_time(self) -> None:
        server = self._river.server
        if server.lives_on(self._chance.uniform(0.0, 1.5)):  # perhaps before it is ready
            server.signal(signal.SIGKILL)

    def _by_mail(self, session: str) -> bool:
        """Have the sink kill it at one of the next mails; return ``False`` where the session finishes before that."""
        server, sink = self._river.server, self._river.sink
        if not server.url and not server.ready():
            raise AssertionError(server.log_text()[-3000:])
        when = self._chance.choice(("before", "unaccepted", "after"))
        sink.order("kill", pid=server.pid, at=self._chance.randint(1, self._between * 3 // 2), when=when)
        for _ in range(int(LONG / 0.1)):
            if not server.lives_on(0.1):
                return True
            try:
                view = self._river.ask("GET", f"/v1/sessions/{session}").body
            except Died:
                continue
            if view["state"] in FINISHED:
                sink.order("forget")
                return not server.running
        raise AssertionError(f"neither shot nor finished in {LONG:.0f} s\n{server.log_text()[-3000:]}")


def run(folder: Path, installation: Installation, *, people: int, kills: int, seed: int) -> Storm:
    """Shoot a server ``kills`` times while it tells ``people``, and as many sessions more as that takes."""
    with River(folder, installation.copy(folder / "data"), settings=SETTINGS) as river:
        gunman = _Gunman(river, seed, kills, people)
        river.server.start(PAGERD_TESTING__FAILPOINT="K1:1")  # the first one meets the client that uploads
        gunman.left -= 1
        sessions: list[str] = []
        while True:
            audience = [person(n, f"s{len(sessions)}-") for n in range(people)]
            sessions.append(river.upload(audience, parts=4))
            while gunman.left and gunman.shoot(sessions[-1]):
                pass
            river.finished(sessions[-1], LONG)
            if not gunman.left:
                break
        poisoned = sum(_poisoned(river.look(session)) for session in sessions)
        shots = river.server.shots
        result = join(river, window=WINDOW, deaths=shots)
        return Storm(seed, shots, len(sessions), poisoned, result)


def _poisoned(view: dict[str, Any]) -> int:
    return sum(reason["count"] for reason in view["reasons"] if reason["class"] == "poison")
