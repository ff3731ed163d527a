"""SIGKILL at every step of the delivery, under both policies: nobody is lost, and nobody is told twice in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from .matrix import PEOPLE, PLACES, POLICIES, Place, run
from .river import Installation


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_kill_at_this_step_breaks_no_promise(
    tmp_path: Path, installation: Installation, place: Place, policy: str
) -> None:
    cell = run(tmp_path, installation, place, policy, seed=0)
    assert cell.killed
    assert cell.result.wrong == []
    assert cell.result.told + cell.result.unknown == PEOPLE
    assert cell.replayed is (place.name == "K1")
    if place.name in ("K8-taken", "K9-said", "K9"):  # these die with a mail taken and no outcome written
        told_twice = cell.result.duplicates if policy == "resend" else cell.result.unknown
        assert told_twice >= 1
