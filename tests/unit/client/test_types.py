"""The client is typed: what programs write is checked as they write it, on both faces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from collections.abc import AsyncIterator, Iterator
from typing import assert_type
from pagerd.client import AsyncPager, Pager, Recipient
from pagerd.client.awaiting import Awaiting
from pagerd.client.blocking import Blocking
from pagerd.client.message import Message
from pagerd.client.session import Session
from pagerd.core.views import SessionView, TimelineView

pager = Pager()
assert_type(pager.messages.send("a@b.eu", template="t", data={"n": 1}, ttl=3).wait(5), Message[Blocking])
session = pager.sessions.send("t", recipients=(Recipient(to, data={}) for to in ["a@b.eu"]), batch_size=7)
assert_type(session, Session[Blocking])
assert_type(session.watch(), Iterator[SessionView])

async def main() -> None:
    async with AsyncPager() as pager:
        session = await pager.sessions.send("t", recipients=["a@b.eu"], on_doubt="hold")
        assert_type(session, Session[Awaiting])
        assert_type(session.watch(), AsyncIterator[SessionView])
        assert_type(await session.refresh(), SessionView)
        assert_type(await pager.recipients.search("a@b.eu"), list[TimelineView])

pager.sessions.send("t", recipients=["a@b.eu"], on_doubt="maybe")
pager.sessions.send("t", recipients=["a@b.eu"], bach_size=7)
"""


def test_a_type_checker_knows_both_faces_and_every_option(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    cache = Path(__file__).parents[3] / ".mypy_cache"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110, check=False)
    lines = [line.partition(": ")[2] for line in checked.stdout.splitlines()]
    assert lines[:-1] == [
        (
            'error: Argument "on_doubt" has incompatible type "Literal[\'maybe\']"; '
            "expected \"Literal['resend', 'hold']\"  [arg-type]"
        ),
        'error: Unexpected keyword argument "bach_size"; did you mean "batch_size"?  [call-arg]',
    ], checked.stdout + checked.stderr
