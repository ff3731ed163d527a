"""Reads captured mails: a summary from the headers alone (cheap), or everything in them (parsed).

Nothing here trusts a mail: what can't be read is left out and named among the problems, and the source is always
there to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import EmailMessage
from email.policy import default
from typing import Final, cast

from pagerd.adapters.capture import texts
from pagerd.adapters.capture.journal import Entry
from pagerd.core.policy import Channel
from pagerd.ports.mailbox import Attachment, Captured, Summary

HEADERS_LIMIT: Final = 256 * 1024
"""Octets of headers up to which a mail is parsed; more are an attack on the parser or a broken program."""

_SHOWN: Final = 4096
_NEEDED: Final = re.compile(rb"(?im)^(subject|from|message-id)[ \t]*:(.*(?:\r?\n[ \t].*)*)")
_FIELD: Final = re.compile(rb"(?m)^([!-9;-~]+)[ \t]*:(.*(?:\r?\n[ \t].*)*)")
_FOLD: Final = re.compile(r"\r?\n[ \t]*")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LONG: Final = re.compile(rb"[^\n]{1000}")
_UNREADABLE: Final = (ValueError, LookupError, AttributeError, TypeError, RecursionError, AssertionError, MessageError)
"""What the standard library's parser lets out over hostile mail."""


def summary(entry: Entry, id: str) -> Summary:
    """Return what a list shows of a mail or SMS."""
    if entry.channel is Channel.SMS:
        return texts.summary(entry, id)
    fields: dict[bytes, bytes] = {}
    for name, value in _NEEDED.findall(_head(entry.source, HEADERS_LIMIT)):
        fields.setdefault(name.lower(), value)
    return Summary(
        id=id,
        received_at=entry.received_at,
        sender=_text(entry.sender),
        recipients=tuple(map(_text, entry.recipients)),
        author=_decoded(fields.get(b"from", b"")),
        subject=_decoded(fields.get(b"subject", b"")),
        message_id=_decoded(fields.get(b"message-id", b"")),
        size=len(entry.source),
    )


def matcher(search: str, to: str) -> Callable[[Entry, Callable[[Entry], Summary]], bool]:
    """Return what tells whether a mail has ``search`` somewhere and ``to`` among its recipients; see the port."""
    needle, person = search.strip().casefold(), to.strip().casefold()
    raw = needle.encode("utf-8", "replace")

    def matches(entry: Entry, summarise: Callable[[Entry], Summary]) -> bool:
        if person and all(_text(recipient).casefold() != person for recipient in entry.recipients):
            return False
        if not needle:
            return True
        brief = summarise(entry)
        words = (brief.subject, brief.author, brief.sender, *brief.recipients)
        return any(needle in word.casefold() for word in words) or raw in entry.source.lower()

    return matches


def read(entry: Entry, brief: Summary) -> Captured:
    """Return a mail or SMS with everything in it that can be read."""
    if entry.channel is Channel.SMS:
        return texts.read(entry, brief)
    head = _head(entry.source, len(entry.source))
    problems = list(_wrong_bytes(entry.source)) + list(_wrong_headers(head))
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    if len(head) <= HEADERS_LIMIT:
        try:
            message = message_from_bytes(entry.source, policy=default)
            text, html, attachments = _parts(message)
            problems += sorted({_words(defect) for part in message.walk() for defect in part.defects})
        except _UNREADABLE as error:
            problems.append(f"It can't be taken apart ({type(error).__name__}): look at its source")
    return Captured(
        summary=brief,
        source=entry.source,
        headers=tuple((_text(n), _decoded(v)) for n, v in _FIELD.findall(head[:HEADERS_LIMIT])),
        text=text,
        html=html,
        attachments=attachments,
        problems=tuple(problems),
    )


def _parts(message: EmailMessage) -> tuple[str | None, str | None, tuple[Attachment, ...]]:
    """Return the text, the HTML and the rest of a parsed mail."""
    plain, html = _body(message, "plain"), _body(message, "html")
    rest = [part for part in message.walk() if not part.is_multipart() and part is not plain and part is not html]
    return (
        None if plain is None else _content(plain),
        None if html is None else _content(html),
        tuple(map(_attachment, rest)),
    )


def _body(message: EmailMessage, kind: str) -> EmailMessage | None:
    try:
        return cast("EmailMessage | None", message.get_body((kind,)))
    except _UNREADABLE:
        return None


def _content(part: EmailMessage) -> str:
    """Return a part's text with plain line ends; an unknown charset is read as UTF-8, as far as it is that."""
    try:
        content = str(part.get_content())
    except _UNREADABLE:
        content = _payload(part).decode("utf-8", "replace")
    return content.replace("\r\n", "\n")


def _payload(part: EmailMessage) -> bytes:
    try:
        raw = part.get_payload(decode=True)
    except _UNREADABLE:
        raw = None
    return raw if isinstance(raw, bytes) else b""


def _attachment(part: EmailMessage) -> Attachment:
    try:
        name = part.get_filename() or ""
    except _UNREADABLE:
        name = ""
    return Attachment(name=name, content_type=part.get_content_type(), size=len(_payload(part)))


def _wrong_bytes(source: bytes) -> Iterator[str]:
    """Say what of the bytes themselves breaks RFC 5321 (section 2.3.8) and 5322 (section 2.1.1)."""
    if _BARE.search(source):
        yield "It has a CR or LF that is not part of a CRLF"
    if _LONG.search(source):
        yield "It has a line of more than 998 octets"
    if b"\0" in source:
        yield "It has a NUL octet"


def _wrong_headers(head: bytes) -> Iterator[str]:
    """Say what of the headers breaks RFC 5322 (section 3.6)."""
    if len(head) > HEADERS_LIMIT:
        yield f"Its headers are over {HEADERS_LIMIT // 1024} KiB: only its source is shown"
        return
    names = [name.lower() for name, _ in _FIELD.findall(head)]
    for wanted in (b"from", b"date", b"message-id"):
        if wanted not in names:
            yield f"It has no {wanted.decode().title().replace('Id', 'ID')} header"
    for single in (b"from", b"to", b"cc", b"bcc", b"subject", b"date", b"message-id", b"reply-to", b"sender"):
        if names.count(single) > 1:
            yield f"It has the header {single.decode().title().replace('Id', 'ID')} more than once"


def _words(defect: Exception) -> str:
    return (type(defect).__doc__ or type(defect).__name__).strip().partition("\n")[0]


def _head(source: bytes, limit: int) -> bytes:
    """Return the header block, at most ``limit`` octets of it."""
    end = _HEAD_END.search(source, 0, limit)
    return source[: end.start() if end else limit]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
    """Return a header's value unfolded, its encoded words (RFC 2047) decoded as far as they can be."""
    value = _FOLD.sub(" ", _text(raw[:_SHOWN])).strip()
    if "=?" not in value:
        return value
    try:
        return "".join(_word(part, charset) for part, charset in decode_header(value))
    except _UNREADABLE:
        return value


def _word(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    try:
        return part.decode(charset or "ascii", "replace")
    except LookupError:
        return part.decode("utf-8", "replace")
