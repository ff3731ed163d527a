"""A recipient as the batch payload carries it, sealed at rest."""

from __future__ import annotations

from typing import Any

import msgspec


class Flaw(msgspec.Struct, frozen=True, array_like=True):
    """Why a row of an audience can't be told: a code and words that a person can act on."""

    code: str
    detail: str


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """One person of an audience.

    ``to`` is the address as it was given; ``address`` the one to write to (for e-mail: domain in ASCII);
    ``line`` the place in the input, from 1; ``data`` holds the person's variables, already coerced to their
    declared types. With ``flaw`` set the row was refused at the door under ``on_invalid=skip`` and nothing is sent.
    """

    to: str
    address: str
    line: int
    data: dict[str, Any]
    id: str | None = None
    locale: str | None = None
    timezone: str | None = None
    flaw: Flaw | None = None
