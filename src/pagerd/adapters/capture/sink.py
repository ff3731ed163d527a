"""An independent sink, as a process of its own: what an observer saw arrive, to be compared with what Pager says.

``python -m pagerd.adapters.capture.sink --port 0 --journal FILE [--refuse-domain DOMAIN]…`` prints
``listening on 127.0.0.1:PORT`` first. Every accepted mail is a line ``unix_time<TAB>message-id<TAB>rcpt<TAB>size`` a
recipient in FILE (made with mode 0600, appended to) *before* its 250 is said; a mail without a Message-ID has ``-``.
SIGTERM or SIGINT ends it with exit code 0.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from pagerd.adapters.capture.rules import RULES, Rule
from pagerd.adapters.capture.server import CaptureServer

_MESSAGE_ID: Final = re.compile(rb"(?im)^message-id:\s*([^\s\x00-\x1f]+)")
_REFUSED: Final = Rule(RULES["refused.example.com"].reply)


class Log:
    """The sink's journal: one write per mail, handed to the system before :meth:`deliver` returns."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def deliver(self, sender: bytes, recipients: list[bytes], mail: bytes) -> bytes:
        """Write a mail's lines; raise :class:`OSError` where that fails."""
        del sender
        found = _MESSAGE_ID.search(mail, 0, mail.find(b"\r\n\r\n") + 2 or len(mail))
        name = found[1] if found else b"-"
        at, size = time.time(), len(mail)
        lines = b"".join([b"%.6f\t%s\t%s\t%d\n" % (at, name, recipient, size) for recipient in recipients])
        if os.write(self._fd, lines) != len(lines):
            raise OSError("the journal could not be written in full")
        return name

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


async def serve(path: Path, host: str, port: int, refused: Sequence[str]) -> None:
    """Run the sink until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = Log(path)
    server = CaptureServer(log, refuse=dict.fromkeys(refused, _REFUSED), host=host, port=port)
    try:
        await server.start()
        sys.stdout.write(f"listening on {server.host}:{server.port}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await server.aclose()
        log.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="pagerd.adapters.capture.sink", description="An independent SMTP sink.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--journal", type=Path, required=True, help="file to which accepted mails are appended")
    parser.add_argument("--refuse-domain", action="append", default=[], metavar="DOMAIN")
    asked = parser.parse_args(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(asked.journal, asked.host, asked.port, asked.refuse_domain))


if __name__ == "__main__":
    main()
