"""Twenty SIGKILLs at random moments of a session of twenty thousand; ``make torture`` takes a thousand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import storm
from .river import Installation

KILLS = int(os.environ.get("PAGERD_TORTURE_KILLS", "20"))
SEED = int(os.environ.get("PAGERD_TORTURE_SEED", "1"))
PEOPLE = 20_000


@pytest.mark.timeout(max(240, KILLS * 12))
def test_random_kills_lose_nobody_and_tell_nobody_twice_in_silence(tmp_path: Path, installation: Installation) -> None:
    found = storm.run(tmp_path, installation, people=PEOPLE, kills=KILLS, seed=SEED)
    print(found)
    assert found.result.wrong == []
    assert found.kills >= KILLS
    assert found.result.admitted == PEOPLE * found.sessions
    assert found.result.told == found.result.admitted - found.poisoned - found.result.unknown
    assert found.result.duplicates <= found.result.flagged <= storm.WINDOW * found.kills
