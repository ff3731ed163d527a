"""Header lines, each made in one place, so that none can become two.

Every value is refused that holds a control character or ``=?``: the first could end the line, the second could be read
as an encoded word, which Python's own parser (3.11) decodes into a header of its own. What is not plain ASCII, or too
long for a line, is written as encoded words (RFC 2047) of at most 75 characters on lines of at most 76.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from typing import Final

from pagerd.render.errors import RenderFailed
from pagerd.render.limits import HEADER_CHARS

_LINE: Final = 76
_WORD_BYTES: Final = 45
_FRAME: Final = len("=?utf-8?b??=")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


def refuse_unsafe(what: str, value: str) -> None:
    """Raise :class:`RenderFailed` for a value that must not stand in a header; ``what`` names the header."""
    if "=?" in value:
        raise RenderFailed("header_injection", f"the {what} holds “=?”, which begins an encoded word", part=what)
    if not (value.isascii() and value.isprintable()) and (found := _CONTROL.search(value)):
        code = ord(found.group())
        raise RenderFailed("header_injection", f"the {what} holds the control character U+{code:04X}", part=what)
    if len(value) > HEADER_CHARS:
        raise RenderFailed("header_too_long", f"the {what} has more than {HEADER_CHARS} characters", part=what)


def header(name: str, value: str) -> bytes:
    """Return an unstructured header (``Subject``) as its line or lines, CRLF included; spaces around it are dropped."""
    value = value.strip(" ")
    room = _LINE - 2 - len(name)
    if len(value) <= room and value.isascii() and value.isprintable() and "=?" not in value:
        return f"{name}: {value}\r\n".encode()
    refuse_unsafe(name.lower(), value)
    return name.encode() + b": " + (_folded(value, room) or encoded_words(name.lower(), value, room)) + b"\r\n"


def _folded(value: str, room: int) -> bytes | None:
    """Return ASCII text broken at its spaces, the first line of at most ``room``; ``None`` if it needs encoding."""
    if not value.isascii() or "  " in value:
        return None
    lines: list[str] = []
    line = ""
    for word in value.split(" "):
        if len(word) >= room or len(word) >= _LINE - 1:
            return None
        longer = f"{line} {word}" if line else word
        if len(longer) > (_LINE - 1 if lines else room):
            lines.append(line)
            longer = word
        line = longer
    return "\r\n ".join([*lines, line]).encode()


def encoded_words(what: str, value: str, room: int) -> bytes:
    """Return text as encoded words, no character cut, the first of at most ``room`` characters; folded between them."""
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise RenderFailed("header_injection", f"the {what} holds an unpaired surrogate", part=what) from None
    size = (min(room, _LINE - 1) - _FRAME) // 4 * 3
    words = []
    start = 0
    while start < len(raw):
        end = start + size
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(b"=?utf-8?b?" + b2a_base64(raw[start:end], newline=False) + b"?=")
        start, size = end, _WORD_BYTES
    return b"\r\n ".join(words)


def mailbox(name: str, address: bytes, display: str | None) -> bytes:
    """Return an address header (``To``) as its line or lines; the address has been checked by its reader."""
    start = name.encode() + b": "
    display = (display or "").strip(" ")
    if not display:
        return start + address + b"\r\n"
    refuse_unsafe(f"{name.lower()} name", display)
    if display.isascii() and len(display) <= _LINE // 2:
        plain = display if _PHRASE.fullmatch(display) else '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
        phrase = plain.encode()
    else:
        phrase = encoded_words(f"{name.lower()} name", display, _LINE - len(start))
    gap = b" " if len(start) + len(phrase) + len(address) + 3 <= _LINE and b"\r\n" not in phrase else b"\r\n "
    return start + phrase + gap + b"<" + address + b">\r\n"
