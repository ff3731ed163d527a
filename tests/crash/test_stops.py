"""A process that is told to stop, or that is held still past its lease, leaves no doubt behind."""

from __future__ import annotations

import signal
from pathlib import Path

from .joining import join
from .river import Installation, River, person

QUICK_LEASE = {
    "PAGERD_WORKER__LEASE": "3",
    "PAGERD_WORKER__RENEW": "1",
    "PAGERD_WORKER__FENCE_MARGIN": "0.5",
    "PAGERD_WORKER__WINDOW": "20",
    "PAGERD_WORKER__URGENT_WINDOW": "2",
}


def test_sigterm_in_the_middle_leaves_nobody_in_doubt(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        river.sink.order("tell", at=300)
        session = river.admit([person(n) for n in range(2000)]).body["id"]
        river.sink.reached()
        assert river.server.stop() == 0, river.server.log_text()
        sent = len(river.sink.accepted())
        assert 300 <= sent < 2000
        view = river.look(session)
        assert view["in_doubt"] == 0
        assert view["told"] >= sent
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (result.told, result.duplicates, result.flagged) == (2000, 0, 0)


def test_sigterm_waits_for_the_answer_to_what_has_left(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        river.sink.order("stall", at=3)
        river.admit([person(n) for n in range(5)])
        river.sink.reached()
        river.server.signal(signal.SIGTERM)
        assert river.server.lives_on(1.0)
        assert len(river.sink.accepted()) == 3  # the dot before the stop has left, none after it
        river.sink.order("release")
        assert river.server.gone() == 0
        assert len(river.sink.accepted()) == 3
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (result.told, result.duplicates, result.flagged) == (5, 0, 0)


def test_a_drain_that_takes_too_long_leaves_a_flag_and_no_silence(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data"), settings={"PAGERD_WORKER__DRAIN": "1"}) as river:
        river.server.start()
        river.sink.order("stall", at=3)
        river.admit([person(n) for n in range(5)])
        river.sink.reached()
        river.server.signal(signal.SIGTERM)
        assert river.server.gone() == 0, river.server.log_text()
        result = join(river, window=1, deaths=1)
        assert result.wrong == []
        assert (result.told, result.duplicates, result.flagged) == (5, 1, 1)


def test_a_process_that_slept_past_its_lease_sends_nothing_unseen(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data"), settings=QUICK_LEASE) as river:
        river.server.start()
        river.sink.order("tell", at=200)
        river.admit([person(n) for n in range(1500)])
        river.sink.reached()
        river.server.signal(signal.SIGSTOP)
        assert river.server.lives_on(4.0)  # longer than the lease
        river.server.signal(signal.SIGCONT)
        result = join(river, window=20, deaths=1)
        assert result.wrong == []
        assert result.told == 1500


def test_a_process_that_slept_past_its_lease_tells_nobody_twice_under_hold(
    tmp_path: Path, installation: Installation
) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data"), settings=QUICK_LEASE) as river:
        river.server.start()
        river.sink.order("stall", at=100)
        session = river.admit([person(n) for n in range(600)], on_doubt="hold").body["id"]
        river.sink.reached()
        river.server.signal(signal.SIGSTOP)
        assert river.server.lives_on(4.0)
        river.sink.order("release")
        river.server.signal(signal.SIGCONT)
        river.finished(session)
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert result.told + result.unknown == 600
        assert result.unknown <= 20
