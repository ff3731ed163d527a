"""This machine: lock, clocks, identifiers, and the failpoint that really kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pagerd.adapters.system.kill import KillAt
from pagerd.adapters.system.lock import DirectoryLock
from pagerd.adapters.system.time import SystemChance, SystemClock
from pagerd.core.errors import Misconfigured


def test_a_data_directory_has_one_process(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "data")
    with pytest.raises(Misconfigured) as taken:
        DirectoryLock(tmp_path / "data")
    assert taken.value.code == "data_directory_in_use"
    assert str(os.getpid()) in taken.value.detail
    lock.release()
    lock.release()
    DirectoryLock(tmp_path / "data").release()


def test_the_kernel_lets_go_of_a_dead_process_s_lock(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pagerd.adapters.system.lock import DirectoryLock\n"
        "lock = DirectoryLock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(Misconfigured, match=str(other.pid)):
            DirectoryLock(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    DirectoryLock(tmp_path).release()


def test_a_directory_that_can_t_be_used_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured) as refused:
        DirectoryLock(tmp_path / "file" / "data")
    assert refused.value.code == "data_directory"
    assert str(tmp_path / "file") in refused.value.detail
    assert refused.value.remedy


def test_a_new_directory_is_its_owner_s_alone(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "pagerd.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_the_clocks_run() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1
    first, second = clock.monotonic(), clock.monotonic()
    assert second >= first


def test_identifiers_are_uuids_of_version_7_that_sort_as_they_were_made() -> None:
    chance = SystemChance()
    made = [chance.new_id() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert {raw[6] >> 4 for raw in made} == {7}
    assert {raw[8] >> 6 for raw in made} == {2}
    assert abs(int.from_bytes(made[0][:6], "big") / 1000 - time.time()) < 60


def test_chance_stays_between_its_ends_and_moves() -> None:
    chance = SystemChance()
    drawn = [chance.uniform(2.0, 5.0) for _ in range(200)]
    assert min(drawn) >= 2.0
    assert max(drawn) <= 5.0
    assert len(set(drawn)) > 100


def test_the_failpoint_kills_at_the_pass_it_was_told() -> None:
    program = (
        "from pagerd.adapters.system.kill import KillAt\n"
        "point = KillAt('K7:3')\n"
        "for n in range(1, 6):\n    point('K6'); print(n, flush=True); point('K7')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"1\n2\n3\n")


def test_a_failpoint_elsewhere_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    point = KillAt("K7")
    for name in ("K0", "K1", "K70", "k7"):
        point(name)
    assert killed == []
    point("K7")
    assert killed == [(os.getpid(), signal.SIGKILL)]
