"""The README's demonstrations, as they are typed."""

from __future__ import annotations

import re
from pathlib import Path

from .conftest import pagerd


def test_the_demonstration_tells_997_of_1000_and_shows_why_not_three(tmp_path: Path) -> None:
    done = pagerd("demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "told 997 + withheld 0 + not told 3 + in doubt 0 + to go 0 = 1,000" in done.stdout
    assert re.search(r"^2\s+failed\s+permanent_address\s+550 5\.1\.1$", done.stdout, re.MULTILINE)
    assert re.search(r"^1\s+rejected\s+invalid\s+address_invalid$", done.stdout, re.MULTILINE)
    assert "Guten Tag, Jürgen Müller" in done.stdout
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_a_server_shot_three_times_loses_nobody_and_tells_nobody_twice_in_silence(tmp_path: Path) -> None:
    done = pagerd("demo", "--kill", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^Shot \d: kill -9 after [\d,]+ mails", done.stdout, re.MULTILINE)) == 3
    rows = {words.strip(): int(number.replace(",", "")) for number, words in _rows(done.stdout)}
    assert rows["people were admitted"] == rows["are told, says the ledger"] == 5000
    assert rows["are in the sink once"] + rows["are in the sink twice, flagged"] == 5000
    assert rows["are lost"] == rows["are in the sink twice, NOT flagged"] == rows["are still open"] == 0
    assert rows["are in the sink twice, flagged"] <= 3 * 200, "at most one window a death"
    assert list(tmp_path.iterdir()) == []


def _rows(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^ *([\d,]+)  (\S.*?)(?:  +\S.*)?$", text, re.MULTILINE)
