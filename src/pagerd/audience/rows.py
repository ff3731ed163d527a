"""From a row of any reader to a recipient, or to what is wrong with it: the same rules for CSV, NDJSON and JSON.

The quick way (:meth:`Rows.admit`) is for rows in which nothing is wrong. Any other takes the long way
(:meth:`Rows.judge`), which finds everything that is wrong with it, so that it can be told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pagerd.audience import tags
from pagerd.audience.channels import check_of
from pagerd.audience.kinds import fits_as_is
from pagerd.audience.limits import ID_CHARS, RAW_CHARS
from pagerd.audience.problems import Faults, Problem, shown, storable
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.recipients import Flaw, Recipient

_DETAILS_SHOWN: Final = 3


class Checked(msgspec.Struct, frozen=True, gc=False):
    """A recipient, and its address as the blind index knows it.

    ``normalised`` is empty where there is no valid address. A recipient with a flaw may well have one: it is found
    by its address, but never counts as a duplicate, nor makes one of somebody else.
    """

    recipient: Recipient
    normalised: str


class Row(msgspec.Struct, kw_only=True):
    """What a reader could make of a row that is not simply right; ``raw`` is shown where there is no address."""

    line: int
    raw: str
    to: str | None = None
    data: dict[str, Any] = {}
    id: str | None = None
    locale: str | None = None
    timezone: str | None = None
    problems: Sequence[Problem] = ()


Locate = Callable[[Problem], Fault]
"""Says where in the input a problem is, in the terms of that input."""


class Rows:
    """Counts rows, checks them, and collects what is wrong with them."""

    __slots__ = ("_address_of", "_skips", "channel", "coercer", "count", "faults")

    def __init__(self, coercer: Coercer, channel: Channel, on_invalid: OnInvalid, region: str | None = None) -> None:
        """Check people's data by ``coercer`` and addresses by ``channel``, numbers without a country by ``region``."""
        self.coercer: Final = coercer
        self.channel: Final = channel
        self.faults: Final = Faults()
        self.count = 0
        self._skips = on_invalid is OnInvalid.SKIP
        self._address_of = check_of(channel, region)

    def admit(
        self,
        line: int,
        to: str,
        data: dict[str, Any],
        id: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Checked | None:
        """Return the recipient of a row whose data is checked, or ``None`` if anything else is wrong with it."""
        mailbox = self._address_of(to)
        if mailbox.__class__ is Flaw:
            return None
        if locale is not None and (locale := tags.locale_tag(locale)) is None:
            return None
        if timezone is not None and (timezone := tags.time_zone(timezone)) is None:
            return None
        if id is not None and not _is_id(id):
            return None
        self.count += 1
        person = Recipient(to, mailbox.address, line, data, id, locale, timezone)  # type: ignore[union-attr]
        return Checked(person, mailbox.normalised)  # type: ignore[union-attr]

    def judge(self, row: Row, locate: Locate) -> Checked | None:
        """Note everything that is wrong with a row; return it as a flawed recipient under ``skip``, else ``None``.

        A row that turns out to be right is admitted. One without address (``to``) must bring a problem that says so.
        """
        mailbox = self._address_of(row.to) if row.to is not None else None
        problems = [*row.problems, *_wrong_fields(row)]
        if isinstance(mailbox, Flaw):
            problems.insert(0, Problem(mailbox.code, mailbox.detail, ("to",)))
            mailbox = None
        if not problems:
            return self.admit(row.line, row.to or "", row.data, row.id, row.locale, row.timezone)
        self.count += 1
        for problem in problems:
            self.faults.add(_unplaced(problem) if self.faults.full else locate(problem))
        if not self._skips:
            return None
        person = Recipient(
            storable(row.raw if row.to is None else row.to, RAW_CHARS),
            mailbox.address if mailbox else "",
            row.line,
            row.data if fits_as_is(row.data) else {},
            row.id if row.id is not None and _is_id(row.id) else None,
            None if row.locale is None else tags.locale_tag(row.locale),
            None if row.timezone is None else tags.time_zone(row.timezone),
            _flaw_of(problems),
        )
        return Checked(person, mailbox.normalised if mailbox else "")


def _wrong_fields(row: Row) -> list[Problem]:
    """Return what is wrong with the fields beside address and data."""
    problems = []
    if row.locale is not None and tags.locale_tag(row.locale) is None:
        detail = f"{shown(row.locale)} {tags.locale_problem(row.locale)}"
        problems.append(Problem("locale_invalid", detail, ("locale",)))
    if row.timezone is not None and tags.time_zone(row.timezone) is None:
        detail = f"{shown(row.timezone)} {tags.zone_problem(row.timezone)}"
        problems.append(Problem("timezone_unknown", detail, ("timezone",)))
    if row.id is not None and not _is_id(row.id):
        detail = f"an id has 1 to {ID_CHARS} characters, none of them a control character"
        problems.append(Problem("id_invalid", detail, ("id",)))
    return problems


def _is_id(id: str) -> bool:
    return 0 < len(id) <= ID_CHARS and id.isprintable()


def _unplaced(problem: Problem) -> Fault:
    return Fault(code=problem.code, detail=problem.detail)


def _flaw_of(problems: Sequence[Problem]) -> Flaw:
    """Return one flaw that tells the first few problems."""
    details = [storable(problem.detail, RAW_CHARS) for problem in problems[:_DETAILS_SHOWN]]
    more = len(problems) - len(details)
    return Flaw(problems[0].code, "; ".join(details) + (f"; and {more} more" if more else ""))
