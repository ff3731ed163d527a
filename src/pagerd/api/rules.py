"""What the shape of a body can't say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, with its offset from UTC.")]


class Later(msgspec.Struct, frozen=True):
    """A field of the interface that is not built yet; ``instead_of`` is the required one that it can stand for."""

    name: str
    instead_of: str = ""


class Rules(msgspec.Struct, frozen=True):
    """What a shape can't say: fields to come, pairs that exclude each other, fields of which exactly one is needed.

    ``inside`` names the fields whose own shapes have rules that a decoded value must be checked for.
    """

    later: tuple[Later, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    one_of: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


def kept(value: msgspec.Struct, rules: Mapping[type, Rules]) -> bool:
    """Tell whether a value that its shape accepted keeps the rules, too."""
    own = rules.get(type(value))
    if own is None:
        return True
    return (
        not any(getattr(value, one) is not None and getattr(value, other) is not None for one, other in own.apart)
        and (not own.one_of or sum(given(getattr(value, name)) for name in own.one_of) == 1)
        and all(kept(getattr(value, name), rules) for name in own.inside)
    )


def given(value: object) -> bool:
    """Tell whether a field says something: ``null`` and ``false`` are as good as nothing."""
    return value is not None and value is not False
