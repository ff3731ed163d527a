"""What docs/how-to tells people to type exists, and the way to many processes is walked as it is written."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.servers.ports import free_port

from pagerd.cli.pagerctl import pagerctl
from pagerd.cli.pagerd import main_group

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PROGRAMS: dict[str, Any] = {"pagerd": main_group, "pagerctl": pagerctl}
PORTS = ("8400", "8401", "8402", "2525")
TOLD = 50_000


def script(page: Path) -> str:
    """Return all that a page tells to type."""
    return "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def commands(page: Path) -> Iterator[list[str]]:
    """Give pagerd's and pagerctl's commands of a page, without what is set before them and redirected behind."""
    for line in script(page).splitlines():
        for one in re.split(r"\s(?:\d?>|&|\|)", line):
            words = shlex.split(one, comments=True)
            while words and (re.match(r"\w+=", words[0]) or words[0] == "sudo"):
                words.pop(0)
            if words and words[0] in PROGRAMS:
                yield words


def strange(words: list[str]) -> list[str]:
    """Return what of a command there is not: a subcommand, or options."""
    command, rest = PROGRAMS[words[0]], words[1:]
    while hasattr(command, "commands"):
        if not rest or rest[0] not in command.commands:
            return rest[:1]
        command = command.commands[rest.pop(0)]
    if command.hidden:
        return [command.name]
    known = {option for parameter in command.params for option in parameter.opts}
    return [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]


def test_every_command_of_the_pages_exists() -> None:
    assert {
        page.name: wrong for page in PAGES if (wrong := [strange(words) for words in commands(page) if strange(words)])
    } == {}


def test_the_commands_are_found_and_a_wrong_one_is_noticed() -> None:
    found = [words[1] for words in commands(ROOT / "docs" / "how-to" / "scale-out.md") if words[0] == "pagerd"]
    assert found == ["keys", "migrate", "keys", "check", "api", "worker", "worker"]
    assert strange(["pagerctl", "sessions", "wach"]) == ["wach"]
    assert strange(["pagerd", "keys", "issue", "--name", "shop", "--nonsense"]) == ["--nonsense"]
    assert strange(["pagerd", "keys", "issue", "--name", "shop"]) == []


@pytest.mark.timeout(300)
def test_the_way_to_many_processes_leads_there(
    tmp_path: Path,
    new_database: Callable[[], str],
    redis_url: str,
    kafka_servers: str,
    unique: Callable[[str], str],
) -> None:
    """Literally, but with folders, ports and databases that no other test uses."""
    addresses = {
        "PAGERD_STORE": new_database(),
        "PAGERD_KEY_STORE": new_database(),
        "PAGERD_QUEUE": f"kafka://{kafka_servers}?prefix={unique('way')}",
        "PAGERD_CACHE": redis_url,
    }
    (tmp_path / "urls.env").write_text("".join(f"{name}={url}\n" for name, url in addresses.items()), "utf-8")
    text = script(ROOT / "docs" / "how-to" / "scale-out.md")
    text = text.replace(".services/urls.env", f"{tmp_path}/urls.env").replace(".services/scale-out", str(tmp_path))
    text = text.replace("$PWD/$HERE", "$HERE")
    for port in PORTS:
        text = re.sub(rf"\b{port}\b", str(free_port()), text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAGERD_", "PAGERCTL_"))}
    with (tmp_path / "said").open("w") as said:  # and no pipe: what is started in the background would hold it
        walk = subprocess.Popen(
            ["bash", "-e", "-x", "-o", "pipefail", "-c", text],
            cwd=ROOT,
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = walk.wait(280)
    finally:
        _end(walk.pid)
    told = (tmp_path / "said").read_text("utf-8")
    assert code == 0, told
    before, _, after = told.partition("+ kill -9 ")
    seen = [int(number.replace(",", "")) for number in re.findall(r"told ([\d,]+) of", before)]
    assert 0 < seen[-1] < TOLD, f"it was not in the middle: {told}"
    assert f"told {TOLD:,} + withheld 0 + not told 0 + in doubt 0 + to go 0 = {TOLD:,}" in after, told


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
