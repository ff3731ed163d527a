"""An SMTP sink that knows nothing of pagerd: it journals every mail that it accepts *before* it says 250.

Run as a program; standard library only. Standard output says ``listening PORT`` first and then answers every line
on standard input, a JSON object, with one line:

- ``{"do": "kill", "pid": 7, "at": 3, "when": "before"}``: SIGKILL process 7 at the third end of a mail from now.
  ``before``: the mail is journalled, its 250 never said; ``unaccepted``: neither; ``after``: the 250 is said first;
- ``{"do": "drop", "at": 3, "accept": true}``: hang up there instead of answering, the mail taken or not;
- ``{"do": "stall", "at": 3}``: say nothing there until ``{"do": "release"}`` (the mail is taken);
- ``{"do": "tell", "at": 3}``: print ``reached`` there; ``{"do": "count"}``: print how many mails ended so far.

The journal has a line for each accepted recipient, tab-separated: time, number of the mail, Message-ID, recipient,
SHA-256 of the mail, its size, and the length that the file named by ``--beside`` had then (0 without one).
``--mails`` keeps the mails, each behind a line with its size. ``--refuse TEXT=REPLY`` answers RCPT for addresses
that contain TEXT with REPLY.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")
ADDRESS = re.compile(rb"<([^>]*)>")


class Journal:
    """Takes mails down, and knows at which of them something is to happen."""

    def __init__(self, options: argparse.Namespace) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._fd = os.open(options.journal, flags, 0o600)
        self._mails = os.open(options.mails, flags, 0o600) if options.mails else None
        self._beside: Path | None = options.beside
        self.refuse = [rule.encode().split(b"=", 1) for rule in options.refuse]
        self.ended = 0
        self.rules: dict[int, dict[str, Any]] = {}
        self.stalled: list[Callable[[], None]] = []

    def accept(self, recipients: list[bytes], mail: bytes) -> None:
        found = MESSAGE_ID.search(mail, 0, mail.find(b"\r\n\r\n") + 2)
        digest = hashlib.sha256(mail).hexdigest().encode()
        name = found[1] if found else b"-"
        beside = os.stat(self._beside).st_size if self._beside else 0  # noqa: PTH116 - one system call a mail
        for recipient in recipients:
            row = (
                b"%.6f" % time.time(),
                b"%d" % self.ended,
                name,
                recipient,
                digest,
                b"%d" % len(mail),
                b"%d" % beside,
            )
            os.write(self._fd, b"\t".join(row) + b"\n")
        if self._mails is not None:
            os.write(self._mails, b"%d\n" % len(mail) + mail)


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.waiting = b""
        self.in_mail = False
        self.silent = False
        self.recipients: list[bytes] = []
        self.replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        self.go_on()

    def go_on(self) -> None:
        while self.waiting and not self.silent and not self.transport.is_closing():
            if self.in_mail:
                end = 0 if self.waiting.startswith(b".\r\n") else self.waiting.find(b"\r\n.\r\n") + 2
                if end == 1:
                    break
                mail, self.waiting = self.waiting[:end].replace(b"\r\n.", b"\r\n"), self.waiting[end + 3 :]
                self.in_mail = False
                self.end_of_mail(mail)
            else:
                line, found, rest = self.waiting.partition(b"\r\n")
                if not found:
                    break
                self.waiting = rest
                self.replies.append(self.command(line))
        if self.replies and not self.transport.is_closing():
            self.say()

    def say(self) -> None:
        self.transport.write(b"".join(self.replies))
        self.replies.clear()

    def command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return EHLO
        if verb in (b"MAIL", b"RSET"):
            self.recipients = []
        elif verb == b"RCPT":
            address = ADDRESS.search(line)
            assert address is not None
            for text, reply in self.journal.refuse:
                if text in address[1]:
                    return reply + b"\r\n"
            self.recipients.append(address[1])
        elif verb == b"DATA":
            if not self.recipients:
                return b"554 5.5.1 nobody is to get it\r\n"
            self.in_mail = True
            return b"354 go on\r\n"
        elif verb == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        return b"250 2.0.0 ok\r\n"

    def end_of_mail(self, mail: bytes) -> None:
        journal = self.journal
        journal.ended += 1
        rule = journal.rules.pop(journal.ended, None) or {}
        do, when = rule.get("do"), rule.get("when")
        if when != "unaccepted" and rule.get("accept", True):
            journal.accept(self.recipients, mail)
        self.recipients = []
        if do == "kill" and when != "after":
            shoot(rule["pid"])
        elif do == "drop":
            self.replies.clear()
            self.transport.abort()
        elif do == "stall":
            self.silent = True
            journal.stalled.append(self.release)
        else:
            self.replies.append(b"250 2.0.0 ok\r\n")
            if do == "kill":
                self.say()
                shoot(rule["pid"])
        if do is not None:
            say("reached")

    def release(self) -> None:
        self.silent = False
        self.replies.append(b"250 2.0.0 ok\r\n")
        self.go_on()


def shoot(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def obey(journal: Journal, order: dict[str, Any]) -> None:
    if order["do"] == "count":
        say(f"count {journal.ended}")
        return
    if order["do"] == "release":
        for release in journal.stalled:
            release()
        journal.stalled.clear()
    elif order["do"] == "forget":
        journal.rules.clear()
    else:
        journal.rules[journal.ended + order["at"]] = order
    say("ok")


async def serve(options: argparse.Namespace) -> None:
    journal = Journal(options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(journal), "127.0.0.1", options.port, backlog=500)
    say(f"listening {server.sockets[0].getsockname()[1]}")
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        obey(journal, json.loads(line))


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--mails", type=Path)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--refuse", action="append", default=[])
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
