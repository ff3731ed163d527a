"""What a peer offers in its answer to EHLO (RFC 5321, section 4.1.1.1)."""

from __future__ import annotations

import msgspec

from pagerd.adapters.smtp.replies import Reply


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """A peer's extensions; ``size`` is ``None`` where it is not offered, 0 where no limit is said (RFC 1870)."""

    pipelining: bool = False
    chunking: bool = False
    eightbit: bool = False
    utf8: bool = False
    starttls: bool = False
    size: int | None = None
    auth: frozenset[str] = frozenset()


NONE = Abilities()
"""A peer that only knows HELO."""


def of_ehlo(reply: Reply) -> Abilities:
    """Return what the lines after the first one offer; unknown and malformed ones are passed over."""
    offers: dict[str, list[str]] = {}
    for line in reply.split(b"\n")[1:]:
        words = line[4:].decode("ascii", "replace").upper().replace("AUTH=", "AUTH ").split()
        if words:
            offers.setdefault(words[0], []).extend(words[1:])
    utf8 = "SMTPUTF8" in offers
    return Abilities(
        pipelining="PIPELINING" in offers,
        chunking="CHUNKING" in offers,
        eightbit="8BITMIME" in offers or utf8,
        utf8=utf8,
        starttls="STARTTLS" in offers,
        size=_size(offers.get("SIZE")),
        auth=frozenset(offers.get("AUTH", ())),
    )


def _size(values: list[str] | None) -> int | None:
    """Return the limit of SIZE: ``None`` not offered, 0 offered without one."""
    if values is None:
        return None
    return int(values[0]) if values and values[0].isdecimal() and values[0].isascii() else 0
