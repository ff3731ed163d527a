"""The mail skeleton: all that is the same for every recipient, built and checked once, then filled.

The standard library's ``email`` builds the fixed headers and reads a filled sample back; a recipient then costs a few
joins of bytes. Per recipient come Date, To, Subject, Message-ID and the bodies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from hashlib import blake2b
from itertools import count
from typing import Final

from pagerd.core.errors import Invalid
from pagerd.core.templates import Parts
from pagerd.render.addresses import Mailbox, address_bytes, read_mailbox
from pagerd.render.body import SEVEN_BIT, encoded_body
from pagerd.render.errors import RenderFailed
from pagerd.render.headers import header, mailbox
from pagerd.render.readback import Meant, differences
from pagerd.render.words import words

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_OWN: Final = words(
    "from to cc bcc sender reply-to subject date message-id mime-version content-type content-transfer-encoding"
    " content-language auto-submitted return-path resent-from resent-to resent-cc resent-bcc"
)
_ENCODINGS: Final = (SEVEN_BIT, b"quoted-printable", b"base64")


def _part_head(subtype: str, encoding: bytes) -> bytes:
    """Return the headers of a text part, blank line included."""
    kind = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ".encode()
    return kind + encoding + b"\r\n\r\n"


_TEXT: Final = {encoding: _part_head("plain", encoding) for encoding in _ENCODINGS}
_HTML: Final = {encoding: _part_head("html", encoding) for encoding in _ENCODINGS}

_SAMPLES: Final = (
    Parts(subject="A sample", text="One.\n\nTwo.\n", html="<p>One.</p>\n"),
    Parts(subject="Zwölf Grüße, 十二", text="Žluťoučký kůň.\n", html=None),
)
"""What every new skeleton is filled with and read back."""


class MailSkeleton:
    """One sender's mails in one locale. ``international``: the sender itself needs SMTPUTF8 (RFC 6531)."""

    __slots__ = ("_boundary", "_date", "_fixed", "_multipart", "_second", "address", "domain", "international")

    def __init__(self, sender: str, *, reply_to: str | None = None, locale: str | None = None) -> None:
        """Build and check the skeleton; raise :class:`Invalid` for a sender or reply address that can't be used."""
        box = read_mailbox(sender)
        reply = None if reply_to is None else read_mailbox(reply_to)
        self.address = box.address
        self.domain = box.address.rpartition("@")[2]
        self.international = not (box.address.isascii() and (reply is None or reply.address.isascii()))
        self._fixed = _fixed_headers(box, reply, locale, international=self.international)
        self._boundary = b"=_pager_" + blake2b(self._fixed, digest_size=12).hexdigest().encode()
        self._multipart = _multipart(self._boundary)
        self._second = -1
        self._date = b""
        self._check(box, reply, locale)

    def fill(
        self,
        parts: Parts,
        *,
        to: str,
        message_id: str,
        date: float,
        name: str | None = None,
        extra: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Return the whole message (RFC 5322): CRLF, no line over 998 bytes, ASCII unless :meth:`needs_utf8`.

        ``to`` has its domain in ASCII; ``name`` stands before it; ``message_id`` may lack its angle brackets; ``date``
        is in UTC seconds; ``extra`` are further headers. Raise :class:`RenderFailed` for whatever must not stand in a
        header (``header_injection``, ``header_too_long``, ``address_unsafe``).
        """
        address = address_bytes("recipient", to)
        head = [
            self._dated(date),
            mailbox("To", address, name) if name else b"To: " + address + b"\r\n",
            header("Subject", parts.subject),
            self._message_id(message_id),
        ]
        if extra:
            head += [_extra(key, value) for key, value in extra]
        head.append(self._fixed)
        text_encoding, text = encoded_body(parts.text)
        if parts.html is None:
            end = b"" if text.endswith(b"\r\n") else b"\r\n"
            return b"".join((*head, _TEXT[text_encoding], text, end))
        html_encoding, html = encoded_body(parts.html)
        multipart = self._multipart
        if self._boundary in text or self._boundary in html:
            multipart = _multipart(_absent(self._boundary, text, html))
        start, between, end = multipart
        return b"".join((*head, start, _TEXT[text_encoding], text, between, _HTML[html_encoding], html, end))

    def _check(self, box: Mailbox, reply: Mailbox | None, locale: str | None) -> None:
        """Fill the skeleton with samples and read them back; raise :class:`Invalid` where they say something else."""
        optional = (("Reply-To", reply), ("MIME-Version", True), ("Auto-Submitted", True), ("Content-Language", locale))
        fixed = [name for name, value in optional if value is not None]
        kinds = {True: ["Content-Type", "Content-Transfer-Encoding"], False: ["Content-Type"]}
        for parts in _SAMPLES:
            names = ("Date", "To", "Subject", "Message-ID", "From", *fixed, *kinds[parts.html is None])
            raw = self.fill(parts, to="ada@example.com", name="Ada", message_id="0@pager.invalid", date=0)
            meant = Meant(
                names=names,
                sender=(box.name, box.address),
                to=("Ada", "ada@example.com"),
                reply_to=None if reply is None else (reply.name, reply.address),
                parts=parts,
            )
            if found := differences(raw, meant):
                detail = f"{box.name!r} <{box.address}> makes a mail that says something else: {'; '.join(found)}"
                raise Invalid(detail, code="sender_invalid")

    def needs_utf8(self, to: str) -> bool:
        """Tell whether the mail to an address needs SMTPUTF8 on its way."""
        return self.international or not to.isascii()

    def _message_id(self, text: str) -> bytes:
        """Return the Message-ID header; one of letters, digits and _ at the sender's domain can't be unsafe."""
        left, _, right = text.rpartition("@")
        if right == self.domain and left.isidentifier() and left.isascii():
            return f"Message-ID: <{text}>\r\n".encode()
        return _message_id(text)

    def _dated(self, date: float) -> bytes:
        """Return the Date header; the last second's is kept."""
        second = int(date)
        if second != self._second:
            self._second, self._date = second, f"Date: {formatdate(second)[:-5]}+0000\r\n".encode()
        return self._date


def _fixed_headers(box: Mailbox, reply: Mailbox | None, locale: str | None, *, international: bool) -> bytes:
    """Return From, Reply-To and what tells machines about the mail, as the standard library writes them."""
    message = EmailMessage(policy=SMTP.clone(utf8=international))
    try:
        message["From"] = _address(box)
        if reply is not None:
            message["Reply-To"] = _address(reply)
        message["MIME-Version"] = "1.0"
        message["Auto-Submitted"] = "auto-generated"
        if locale is not None:
            message["Content-Language"] = locale
        raw = message.as_bytes()
    except (ValueError, IndexError, UnicodeError) as error:
        detail = f"{box.name!r} <{box.address}> can't stand in a header: {error}"
        raise Invalid(detail, code="sender_invalid") from error
    return raw.removesuffix(b"\r\n")


def _address(box: Mailbox) -> Address:
    """Return a mailbox as the standard library's headers want it."""
    local, _, domain = box.address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return Address(box.name, local, domain)


def _multipart(boundary: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the text, between text and HTML, and after the HTML (RFC 2046, section 5.1.1)."""
    line = b"--" + boundary
    start = b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"\r\n\r\n' + line + b"\r\n"
    return start, b"\r\n" + line + b"\r\n", b"\r\n" + line + b"--\r\n"


def _absent(boundary: bytes, *bodies: bytes) -> bytes:
    """Return a boundary that no body holds: somebody wrote ours into a body."""
    for number in count(1):
        other = b"%b_%d" % (boundary, number)
        if not any(other in body for body in bodies):
            return other
    raise AssertionError  # pragma: no cover (count never ends)


def _message_id(text: str) -> bytes:
    """Return the Message-ID header of ``left@right``, with or without its angle brackets."""
    address = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    if not address.isascii():
        raise RenderFailed("header_injection", "the Message-ID is not ASCII", part="message-id")
    return b"Message-ID: <" + address_bytes("message-id", address) + b">\r\n"


def _extra(name: str, value: str) -> bytes:
    """Return a further header; what a skeleton writes itself, and what names recipients, can't be one."""
    if not _NAME.fullmatch(name) or name.lower() in _OWN:
        raise RenderFailed("header_injection", f"{name!r} can't be a further header", part="header")
    return header(name, value)
