"""A batch that takes its process with it every time is given up alone; everybody in it is accounted for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .joining import join
from .river import Installation, River, person

LOSSES = 5


@pytest.mark.parametrize(("place", "reason"), [("K6", "poison"), ("K7", "unknown")])
def test_a_batch_lost_five_times_is_dead_and_nobody_in_it_is_lost(
    tmp_path: Path, installation: Installation, place: str, reason: str
) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start(PAGERD_TESTING__FAILPOINT=f"{place}:1")
        session = river.ask("POST", "/v1/sessions", _body([person(n) for n in range(5)])).body["id"]
        river.people[session] = [person(n)["to"] for n in range(5)]
        deaths = [river.server.gone()]
        while len(deaths) < LOSSES:
            river.server.launch(PAGERD_TESTING__FAILPOINT=f"{place}:1")
            deaths.append(river.server.gone())
        assert deaths == [-signal.SIGKILL] * LOSSES
        view = river.finished(session)
        assert view["state"] == "failed"
        assert [(r["class"], r["count"]) for r in view["reasons"]] == [(reason, 5)]
        assert river.sink.accepted() == []
        wish = {"where": {"state": "unknown"}} if reason == "unknown" else None
        assert river.ask("POST", f"/v1/sessions/{session}/redrive", wish).status == 200
        result = join(river, window=5, deaths=LOSSES)
        assert result.wrong == []
        assert (result.told, result.duplicates) == (5, 0)
        assert result.flagged == (5 if reason == "unknown" else 0)


def _body(people: list[dict[str, object]]) -> dict[str, object]:
    return {"template": "order", "audience": {"recipients": people}}
