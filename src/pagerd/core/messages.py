"""A message: one recipient's own words, ready to leave by a channel."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is handed for one recipient.

    ``place`` is the recipient's index in its batch; ``to`` the address as the channel wants it (for e-mail an
    RFC 5321 mailbox, its domain in ASCII; for sms a number in E.164; for kafka whom the record is about); ``sender``
    the envelope sender, empty where the channel has none; ``key`` stays the same over every attempt for this
    recipient (the Message-ID of a mail, the idempotency key of an API). ``body`` is for e-mail the whole message as
    bytes: canonical CRLF, no line over 998 bytes, pure ASCII unless ``international``, not dot-stuffed; for sms the
    text and for kafka the JSON value, both in UTF-8. ``international`` says that a mail needs SMTPUTF8 (RFC 6531).
    ``partition_key`` is what a record is partitioned by where that is not ``to``; ``headers`` go beside the body where
    the channel has such.
    """

    place: int
    to: str
    sender: str
    key: str
    body: bytes
    international: bool = False
    partition_key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
