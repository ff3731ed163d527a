"""After a power loss only what was fsynced is certain; everything that was acknowledged is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import outage, powerless
from .river import Installation

MOMENTS = int(os.environ.get("PAGERD_TORTURE_OUTAGES", "6"))
SEED = int(os.environ.get("PAGERD_TORTURE_SEED", "1"))


@pytest.mark.timeout(max(240, MOMENTS * 20))
def test_what_was_acknowledged_survives_a_power_loss_at_any_moment(tmp_path: Path, installation: Installation) -> None:
    if powerless.compiler() is None:
        if os.environ.get("CI"):
            pytest.fail("the power-loss test needs a C compiler: install gcc")
        pytest.skip("the power-loss test needs a C compiler (gcc or clang), and there is none")
    tape = outage.record(tmp_path, installation)
    promised = 0
    for n, at in enumerate(outage.moments(tape, MOMENTS, SEED)):
        luck = outage.LUCK[n % len(outage.LUCK)]
        found = outage.after(tape, tmp_path / f"outage-{n}", at, luck, SEED + n)
        print(f"at {at} of {tape.length} ({luck}): {found}")
        assert found.wrong == [], f"power lost at {at} of {tape.length} with {luck} of the unsynced writes"
        promised += found.admitted
    assert promised >= outage.PEOPLE * MOMENTS // 2


def test_the_recorder_knows_what_was_not_synced(tmp_path: Path) -> None:
    """The instrument itself: written and synced is certain, written is luck, an unsynced name is luck."""
    tape = [
        powerless.Record(10, "O", 1, 1, b"/d/new"),
        powerless.Record(20, "W", 1, 0, b"a" * 600),
        powerless.Record(30, "S", 1, 20, b""),
        powerless.Record(40, "W", 1, 600, b"b" * 600),
        powerless.Record(50, "S", 1, 30, b""),  # began before the second write
        powerless.Record(60, "R", 0, 0, b"/d/new\0/d/old"),
    ]
    disk = powerless.Disk({"old": b"before"}, "/d")
    for record in tape:
        disk.play(record)
    chance = powerless.random.Random(0)
    assert disk.after_loss(chance, "none") == {"old": b"before", "new": b"a" * 600}
    assert disk.after_loss(chance, "all") == {"old": b"a" * 600 + b"b" * 600}
    disk.play(powerless.Record(70, "D", 2, 60, b""))
    disk.play(powerless.Record(80, "T", 1, 100, b""))
    assert disk.after_loss(chance, "none") == {"old": b"a" * 600}
    assert disk.after_loss(chance, "all") == {"old": b"a" * 100}
