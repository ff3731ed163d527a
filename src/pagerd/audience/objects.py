"""A recipient as a JSON object, looked at field by field: for those in which something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pagerd.audience.limits import LIKENESS
from pagerd.audience.problems import Problem, shown
from pagerd.audience.rows import Row
from pagerd.audience.variables import Coercer
from pagerd.core.nearest import did_you_mean
from pagerd.core.policy import Channel

FIELDS: Final = ("to", "id", "locale", "timezone", "data")
ADDRESSES: Final = ("email", "phone", "push", "url", "topic", "subject")
"""What ``to`` may hold as an object."""

ADDRESS_OF: Final[Mapping[Channel, str]] = {
    Channel.EMAIL: "email",
    Channel.SMS: "phone",
    Channel.PUSH: "push",
    Channel.CHAT: "url",
    Channel.WEBHOOK: "url",
    Channel.KAFKA: "subject",
    Channel.INBOX: "topic",
}
"""Which of a person's addresses a channel writes to."""


def row_of(value: object, line: int, raw: str, coercer: Coercer, channel: Channel) -> Row:
    """Return a row with all that could be read of ``value`` and everything that is wrong with it."""
    if not isinstance(value, dict):
        detail = 'a recipient is an object like {"to": "ada@example.com", "data": {…}}'
        return Row(line=line, raw=raw, problems=[Problem("recipient_malformed", detail)])
    problems = [_unknown_field(name) for name in value if name not in FIELDS]
    to = _address(value.get("to"), channel, problems)
    own_id, locale, timezone = (_text(value.get(name), name, problems) for name in ("id", "locale", "timezone"))
    data = value.get("data")
    if data is None:
        data = {}
    if isinstance(data, dict):
        coerced, wrong = coercer.look_closely(data)
        problems += wrong
        data = data if wrong else coerced
    else:
        problems.append(Problem("field_type", '"data" must be an object', ("data",)))
        data = {}
    return Row(line=line, raw=raw, to=to, data=data, id=own_id, locale=locale, timezone=timezone, problems=problems)


def _address(to: object, channel: Channel, problems: list[Problem]) -> str | None:
    """Return the address that the channel writes to."""
    if isinstance(to, str):
        return to
    if to is None:
        problems.append(Problem("address_missing", '"to" is missing', ("to",)))
        return None
    if not isinstance(to, dict):
        problems.append(Problem("field_type", '"to" must be text, or an object like {"email": …}', ("to",)))
        return None
    for name in to:
        if name not in ADDRESSES:
            detail = f'"to" has no field {shown(name)}{did_you_mean(name, ADDRESSES, LIKENESS)}'
            problems.append(Problem("field_unknown", detail, ("to", name)))
    wanted = ADDRESS_OF[channel]
    address = to.get(wanted)
    if address is None:
        problems.append(Problem("address_missing", f'"to" has no "{wanted}", which {channel} writes to', ("to",)))
        return None
    return _text(address, wanted, problems, ("to", wanted))


def _text(value: Any, name: str, problems: list[Problem], path: tuple[str, ...] = ()) -> str | None:
    if value is None or isinstance(value, str):
        return value
    problems.append(Problem("field_type", f'"{name}" must be text', path or (name,)))
    return None


def _unknown_field(name: str) -> Problem:
    hint = (
        ': write "to"'
        if name in ADDRESSES
        else did_you_mean(name, FIELDS, LIKENESS) or ': variables belong into "data"'
    )
    return Problem("field_unknown", f"a recipient has no field {shown(name)}{hint}", (name,))
