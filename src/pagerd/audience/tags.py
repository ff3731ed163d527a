"""Locales and time zones of recipients: checked once for each spelling."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from zoneinfo import available_timezones

_TAG: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}|-[a-z0-9](?:-[a-z0-9]{2,8})+)*", re.IGNORECASE | re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
_TAG_CHARS: Final = 35


@lru_cache(maxsize=1024)
def locale_tag(text: str) -> str | None:
    """Return a language tag of the shape of BCP 47 (RFC 5646, 2.1) in its usual case, or ``None`` if it is none."""
    tag = text.strip(" ")
    if len(tag) > _TAG_CHARS or _TAG.fullmatch(tag) is None:
        return None
    subtags = tag.lower().split("-")
    extension = next((place for place, subtag in enumerate(subtags) if len(subtag) == 1), len(subtags))
    return "-".join([subtags[0], *map(_usual_case, subtags[1:extension]), *subtags[extension:]])


def locale_problem(text: str) -> str:
    """Say what is wrong with a locale that :func:`locale_tag` refused."""
    mended = locale_tag(text.replace("_", "-"))
    return "is not a language tag like en or de-AT" + (f': write "{mended}"' if mended else "")


def _usual_case(subtag: str) -> str:
    if len(subtag) == 2 and subtag.isalpha():
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag


@lru_cache(maxsize=1024)
def time_zone(text: str) -> str | None:
    """Return the name of an IANA time zone, or ``None`` if there is none of that name.

    Where the machine has no time zone database, whatever looks like a name passes.
    """
    name = text.strip(" ")
    if _ZONE.fullmatch(name) is None:
        return None
    return name if name in _zones() or not _zones() else None


def zone_problem(text: str) -> str:
    """Say what is wrong with a time zone that :func:`time_zone` refused."""
    meant = _zones_by_slip().get(text.strip(" ").casefold().replace(" ", "_"))
    return "is not a time zone like Europe/London" + (f': did you mean "{meant}"?' if meant else "")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def _zones_by_slip() -> dict[str, str]:
    """Return all zones by their name and by its last part (the city), both case-folded."""
    zones = sorted(_zones())
    by_city = {zone.rpartition("/")[2].casefold(): zone for zone in reversed(zones)}
    return by_city | {zone.casefold(): zone for zone in zones}
