"""What an operator ordered and was answered holds, though the server dies at once: pause, resume, cancel, redrive."""

from __future__ import annotations

from pathlib import Path

from .joining import join
from .river import Installation, River, person

PEOPLE = 1500
WINDOW = 30
SETTINGS = {"PAGERD_WORKER__WINDOW": str(WINDOW), "PAGERD_WORKER__URGENT_WINDOW": "3"}


def test_a_cancel_that_was_answered_survives_and_can_be_driven_again(
    tmp_path: Path, installation: Installation
) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data"), settings=SETTINGS) as river:
        river.server.start()
        river.sink.order("tell", at=200)
        session = river.admit([person(n) for n in range(PEOPLE)]).body["id"]
        river.sink.reached()
        assert river.ask("POST", f"/v1/sessions/{session}/cancel").status == 200
        river.server.shoot()
        view = river.finished(session)
        assert view["state"] == "cancelled"
        assert 200 <= view["told"] < PEOPLE
        unknown = view["outcomes"]["unknown"]
        assert view["told"] + view["outcomes"]["cancelled"] + unknown == PEOPLE
        sent = len(river.sink.accepted())
        assert view["told"] <= sent <= view["told"] + unknown
        river.sink.order("kill", pid=river.server.pid, at=300, when="before")
        assert river.ask("POST", f"/v1/sessions/{session}/redrive").status == 200
        river.finished(session)
        result = join(river, window=WINDOW, deaths=river.server.shots)
        assert river.server.shots == 2
        assert result.wrong == []
        assert result.told + result.unknown == PEOPLE
        assert result.unknown == unknown  # a doubt is only driven again by who asks for it


def test_a_pause_that_was_answered_survives(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data"), settings=SETTINGS) as river:
        river.server.start()
        river.sink.order("tell", at=200)
        session = river.admit([person(n) for n in range(PEOPLE)]).body["id"]
        river.sink.reached()
        assert river.ask("POST", f"/v1/sessions/{session}/pause").status == 200
        sent = len(river.sink.accepted())
        river.server.shoot()
        river.revive()
        assert river.look(session)["state"] == "paused"
        assert river.server.stop() == 0
        assert len(river.sink.accepted()) <= sent + WINDOW
        river.revive()
        assert river.ask("POST", f"/v1/sessions/{session}/resume").status == 200
        river.server.shoot()
        result = join(river, window=WINDOW, deaths=2)
        assert result.wrong == []
        assert result.told == PEOPLE
