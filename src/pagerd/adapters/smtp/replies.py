"""Replies of an SMTP server: bytes to replies, a reply to its code, enhanced code and words (RFC 5321, section 4.2).

A reply is kept as it came, its lines joined by LF: on the way where all goes well nobody looks at more than the first
byte. Everything else is cut out of it on demand.
"""

from __future__ import annotations

import re
from typing import Final

Reply = bytes

MAX_LINE: Final = 4096
"""RFC 5321, section 4.5.3.1.5, says 512; servers with long words exist. A longer one without its end is garbage."""
MAX_REPLY: Final = 65536
MAX_WORDS: Final = 500

_CODES: Final = frozenset(b"%d" % code for code in range(200, 600))
_ENHANCED: Final = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?=[ \r\n]|$)")
_LEAD: Final = re.compile(r"(?m)^\d\d\d[ -]?")
_REFERENCE: Final = re.compile(r"queued as ([\w.-]+)|\bid=([\w.-]+)|^(?:2\.\d\.\d )?Ok:? ([\w.-]{12,})", re.IGNORECASE)


class Garbage(Exception):
    """The peer said something that is no SMTP reply."""


class ReplyReader:
    """Cuts a stream into replies; tolerates a bare LF at a line's end, and nothing else that is wrong."""

    __slots__ = ("_held", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._held: list[bytes] = []

    @property
    def midway(self) -> bool:
        """Whether bytes of an unfinished reply are held."""
        return bool(self._rest or self._held)

    def feed(self, chunk: bytes, into: list[Reply]) -> bool:
        """Append the replies that ``chunk`` completes to ``into``; tell whether a 421 came, after which nothing counts.

        Raises :class:`Garbage`; the good ones before it are appended.
        """
        if self._rest:
            chunk = self._rest + chunk
        lines = chunk.split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            code = line[:3]
            if code not in _CODES:
                raise Garbage(shown(line))
            if line[3:4] == b" " and not self._held:
                into.append(line)
            elif not self._long(line, code, into):
                continue
            if code == b"421":
                return True
        if len(self._rest) > MAX_LINE:
            raise Garbage("a line without end")
        return False

    def _long(self, line: bytes, code: bytes, into: list[Reply]) -> bool:
        """Take a line of a reply of many lines, or one without words; tell whether it ends a reply."""
        held = self._held
        if held and held[0][:3] != code:
            raise Garbage("two codes in one reply")
        held.append(line)
        if line[3:4] == b"-":
            if sum(map(len, held)) > MAX_REPLY:
                raise Garbage("a reply without end")
            return False
        if line[3:4] not in (b" ", b"\r", b""):
            raise Garbage(shown(line))
        into.append(b"\n".join(held))
        held.clear()
        return True


def code_of(reply: Reply) -> str:
    """Return the three digits."""
    return reply[:3].decode("ascii")


def enhanced_of(reply: Reply) -> str:
    """Return the enhanced status code (RFC 3463), or nothing if there is none or it contradicts the basic one."""
    hit = _ENHANCED.match(reply, 4)
    if hit is None or hit[0][:1] != reply[:1]:
        return ""
    return hit[0].decode("ascii")


def words_of(reply: Reply) -> str:
    """Return the peer's words on one printable line, without the three digits, at most 500 characters."""
    if b"\n" not in reply and len(reply) <= MAX_WORDS:
        text = reply[4:].decode("utf-8", "replace").rstrip()
    else:
        text = " ".join(_LEAD.sub("", reply.decode("utf-8", "replace")).split())[:MAX_WORDS]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def reference_of(words: str) -> str:
    """Return the name under which the peer says to have queued the message, or nothing."""
    hit = _REFERENCE.search(words)
    return (hit[1] or hit[2] or hit[3]) if hit else ""


def shown(line: bytes) -> str:
    """Return what a peer wrote as text that is safe to show."""
    text = line[:100].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in text)
