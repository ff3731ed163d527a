"""Reads captured short messages."""

from __future__ import annotations

from typing import Final

from pagerd.adapters.capture.journal import Entry
from pagerd.core.segments import Encoding, segments
from pagerd.ports.mailbox import Captured, Summary

_SHOWN: Final = 100
_MANY: Final = 3


def summary(entry: Entry, id: str) -> Summary:
    """Return what a list shows of an SMS: the beginning of its text stands for the subject."""
    return Summary(
        id=id,
        received_at=entry.received_at,
        sender=_text(entry.sender),
        recipients=tuple(map(_text, entry.recipients)),
        author="",
        subject=" ".join(_text(entry.source).split())[:_SHOWN],
        message_id="",
        size=len(entry.source),
        channel=entry.channel,
    )


def read(entry: Entry, brief: Summary) -> Captured:
    """Return an SMS: its text, and what it costs."""
    text = _text(entry.source)
    sms = segments(text)
    return Captured(
        summary=brief,
        source=entry.source,
        headers=(),
        text=text,
        html=None,
        attachments=(),
        problems=tuple(_costly(text, sms.encoding, sms.count)),
        encoding=sms.encoding.value,
        segments=sms.count,
    )


def _costly(text: str, encoding: Encoding, count: int) -> list[str]:
    """Say what makes a text cost more than its writer may think."""
    found = []
    if encoding is Encoding.UCS2:
        odd = [char for char in dict.fromkeys(text) if segments(char).encoding is Encoding.UCS2]
        found.append(
            f"It does not fit the GSM alphabet, for {' '.join(odd[:10])}: a segment has 67 characters, not 153"
        )
    if count > _MANY:
        found.append(f"Each person costs {count} segments")
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
