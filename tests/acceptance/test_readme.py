"""What the README tells a newcomer to type is typed, in a folder with a server of its own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .conftest import COMMAND, Start, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SOME_NOT_TOLD = 3


def commands() -> Iterator[list[str]]:
    """Give the lines of pagerctl's in the README."""
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("pagerctl "):
                yield shlex.split(line)[1:]


def test_the_commands_and_the_program_of_the_readme_do_what_it_says(start: Start, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    server = start("dev", "--data", str(tmp_path / ".pagerd"))
    server.data = tmp_path / ".pagerd"
    typed = list(commands())
    assert len(typed) >= 4
    for words in typed:
        done = _run([*COMMAND, "ctl", *words], tmp_path)
        expected = SOME_NOT_TOLD if "--skip-invalid" in words else 0
        assert done.returncode == expected, (words, done.stdout, done.stderr)
    assert "550 5.1.1" in done.stdout, "the last one asks why"
    (code,) = server.ask("GET", "/v1/captured?to=you@example.com").json()["items"]
    assert "123456" in code["subject"]

    (program,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    done = _run([sys.executable, "-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 0 0"


def _run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(XDG_CONFIG_HOME=str(folder)),
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
