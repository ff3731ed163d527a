"""How each channel reads a recipient's address, and how an address is known whatever channel it is of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from pagerd.audience.addresses import Mailbox, checked
from pagerd.audience.numbers import checked_number
from pagerd.audience.reached import Reached
from pagerd.core.policy import Channel
from pagerd.core.recipients import Flaw

Check = Callable[[str], Mailbox | Reached | Flaw]

SUBJECT_CHARS: Final = 255
"""The longest subject of a record."""


def check_of(channel: Channel, region: str | None = None) -> Check:
    """Return what checks a channel's addresses; ``region`` is where national numbers are dialled."""
    if channel is Channel.EMAIL:
        return checked
    if channel is Channel.SMS:
        return partial(checked_number, region=region)
    if channel is Channel.KAFKA:
        return checked_subject
    return _not_yet


def checked_subject(to: str) -> Reached | Flaw:
    """Return whom a record is about: text, kept as it is; or a flaw.

    Where it is a mail address or an international number, its other spellings are the same person.
    """
    if not to.strip() or len(to) > SUBJECT_CHARS or not to.isprintable():
        detail = f"whom a record is about takes 1 to {SUBJECT_CHARS} characters, none of them a control character"
        return Flaw("address_invalid", detail)
    return Reached(to, known_as(to))


def known_as(to: str) -> str:
    """Return an address of any channel as the blind index knows it; text that is no address is known as it is."""
    found: Mailbox | Reached | Flaw | None = None
    if "@" in to:
        found = checked(to)
    elif to.lstrip().startswith("+"):
        found = checked_number(to, None)
    return to if found is None or isinstance(found, Flaw) else found.normalised


def _not_yet(to: str) -> Flaw:
    del to
    return Flaw("channel_not_supported_yet", "this release has the channels email, sms and kafka")
