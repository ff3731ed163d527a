"""Reads a mail back with the standard library and says where it is not what was meant."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser, Parser
from typing import Final

import msgspec

from pagerd.core.templates import Parts
from pagerd.render.limits import LINE_BYTES


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail must say: its header names in order, whom it is from and to (name, address), and its words."""

    names: tuple[str, ...]
    sender: tuple[str, str]
    to: tuple[str, str]
    reply_to: tuple[str, str] | None
    parts: Parts


def differences(raw: bytes, meant: Meant) -> list[str]:
    """Return every difference between a mail and what was meant by it; none is what every skeleton is built for."""
    found = _bytes(raw)
    message = read(raw)
    if tuple(message.keys()) != meant.names:
        found.append(f"headers {message.keys()}")
    boxes = (("From", meant.sender), ("To", meant.to), ("Reply-To", meant.reply_to))
    for name, box in boxes:
        boxes_read = _boxes(message, name)
        if [_squeezed(*pair) for pair in boxes_read] != ([_squeezed(*box)] if box else []):
            found.append(f"{name} {boxes_read}")
    if str(message["Subject"]) != meant.parts.subject:
        found.append(f"Subject {message['Subject']!r}")
    return found + _bodies(message, meant.parts)


def read(raw: bytes) -> EmailMessage:
    """Return a mail as the standard library reads it; headers in UTF-8 (RFC 6532) are understood."""
    if raw.isascii():
        return BytesParser(policy=policy.default).parsebytes(raw)
    return Parser(policy=policy.default).parsestr(raw.decode())


_ROUGH: Final = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"


def _bytes(raw: bytes) -> list[str]:
    """Return what is wrong with the bytes themselves."""
    lines = raw.split(b"\r\n")
    found = []
    if any(b"\r" in line or b"\n" in line for line in lines) or lines[-1]:
        found.append("line breaks other than CRLF")
    if max(map(len, lines)) > LINE_BYTES:
        found.append(f"a line of more than {LINE_BYTES} bytes")
    if raw.translate(None, _ROUGH) != raw:
        found.append("control characters")
    return found


def _boxes(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    """Return the (name, address) pairs of an address header."""
    value = message[name]
    return [] if value is None else [(box.display_name, box.addr_spec) for box in value.addresses]


def _squeezed(name: str, address: str) -> tuple[str, str]:
    """Return a mailbox whose name has no spaces: Python 3.11 keeps one between two encoded words of a long name."""
    return "".join(name.split()), address


def _bodies(message: EmailMessage, parts: Parts) -> list[str]:
    """Return the bodies that are not the parts."""
    wanted = [("text/plain", parts.text)]
    if parts.html is not None:
        wanted.append(("text/html", parts.html))
    leaves = [leaf for leaf in message.walk() if not leaf.is_multipart()]
    kinds = [leaf.get_content_type() for leaf in leaves]
    if kinds != [kind for kind, _ in wanted]:
        return [f"parts {kinds}"]
    return [
        f"{kind} {leaf.get_content()!r}"
        for leaf, (kind, words) in zip(leaves, wanted, strict=True)
        if _plain(leaf.get_content()) != _plain(words) or leaf.defects
    ]


def _plain(text: str) -> str:
    """Return text without the line break at its end, which a mail may have to add, and with LF only."""
    return text.replace("\r\n", "\n").removesuffix("\n")
