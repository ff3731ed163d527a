"""An audience inside a JSON request, already decoded: faults point into the request's body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pagerd.audience.limits import RAW_CHARS
from pagerd.audience.objects import row_of
from pagerd.audience.problems import Faults, Problem, pointer, storable
from pagerd.audience.rows import Checked, Rows
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault
from pagerd.core.policy import Channel, OnInvalid

AUDIENCE: Final = "/audience/recipients"
"""Where a session's request holds its recipients."""


def read_inline(
    recipients: Sequence[object],
    coercer: Coercer,
    channel: Channel,
    on_invalid: OnInvalid,
    *,
    region: str | None = None,
    at: str = AUDIENCE,
) -> tuple[list[Checked], Faults]:
    """Return the recipients of a list of objects, and what is wrong with it; ``line`` is their place from 1.

    ``region`` is where numbers without a country are dialled; ``at`` is the JSON Pointer of the list.
    """
    rows = Rows(coercer, channel, on_invalid, region)
    found = (_read(rows, value, place, f"{at}/{place - 1}") for place, value in enumerate(recipients, 1))
    return [checked for checked in found if checked is not None], rows.faults


def read_one(
    recipient: object, coercer: Coercer, channel: Channel, *, region: str | None = None, at: str = ""
) -> Checked:
    """Return the one recipient of an object that stands at ``at``; raise :class:`Invalid` with all that is wrong."""
    rows = Rows(coercer, channel, OnInvalid.FAIL, region)
    checked = _read(rows, recipient, 1, at)
    if checked is None:
        raise rows.faults.refusal()
    return checked


def _read(rows: Rows, value: object, place: int, at: str) -> Checked | None:
    """Look closely at one object: a request is small, and no decoder of ours has seen its data."""

    def locate(problem: Problem) -> Fault:
        return Fault(code=problem.code, detail=problem.detail, pointer=at + pointer(problem.path))

    raw = storable(value, RAW_CHARS) if isinstance(value, str) else ""
    return rows.judge(row_of(value, place, raw, rows.coercer, rows.channel), locate)
