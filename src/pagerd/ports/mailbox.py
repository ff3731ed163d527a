"""A mailbox: what the capture servers of development have taken, for people and tools to look at."""

from __future__ import annotations

from typing import Protocol

import msgspec

from pagerd.core.policy import Channel


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A captured mail or SMS in a list.

    ``id`` is ``cap_…`` and sorts by arrival; ``received_at`` is in UTC seconds; ``sender`` (empty: the null sender)
    and ``recipients`` are the envelope's; ``author``, ``subject`` and ``message_id`` are the headers', decoded, and
    empty where the mail has none; ``size`` is in bytes. An SMS has the beginning of its text as ``subject``, and no
    ``author``.
    """

    id: str
    received_at: float
    sender: str
    recipients: tuple[str, ...]
    author: str
    subject: str
    message_id: str
    size: int
    channel: Channel = Channel.EMAIL


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a mail that is neither its text nor its HTML: its name (may be empty), type, and size in bytes."""

    name: str
    content_type: str
    size: int


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """A captured mail, read as well as it can be.

    ``source`` is every byte as it came (dots unstuffed) and always there; ``text`` and ``html`` are ``None`` where
    the mail has none or it can't be read; ``problems`` says in words what is wrong with it. An SMS has ``text``, the
    ``encoding`` that it travels in and its number of ``segments``; its ``source`` is the text in UTF-8.
    """

    summary: Summary
    source: bytes
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    problems: tuple[str, ...]
    encoding: str | None = None
    segments: int | None = None


class Mailbox(Protocol):
    """Keeps the newest captured mails. They hold personal data in clear: for development only."""

    @property
    def count(self) -> int:
        """How many mails are kept."""
        ...

    @property
    def revision(self) -> int:
        """A number that every arrival and every clearing changes; see :meth:`changed`."""
        ...

    async def page(self, limit: int, before: str | None = None, search: str = "", to: str = "") -> list[Summary]:
        """Return summaries, newest first, those that came before the mail ``before`` (kept or not).

        ``search`` is looked for in addresses, subject and source, ``to`` must be a recipient; both without regard
        to case, empty for all. A ``before`` that is no mail's identifier raises :class:`Missing`.
        """
        ...

    async def get(self, id: str) -> Captured | None:
        """Return one mail; ``None`` when it is not kept (any more) or never was."""
        ...

    async def clear(self) -> None:
        """Forget every mail; twice is harmless. Identifiers are not used again."""
        ...

    async def changed(self, seen: int) -> int | None:
        """Return the revision as soon as it is not ``seen``; ``None`` when the mailbox is closed."""
        ...
