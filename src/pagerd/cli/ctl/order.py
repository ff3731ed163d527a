"""What `pagerctl send` was asked to do, once the words of its options are understood."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pagerd.cli.ctl.cells import typed
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.core.templates import TemplateDraft
    from pagerd.core.variables import Variable


class Words(NamedTuple):
    """The options of `send`, as they were typed."""

    channel: str | None
    sender: str | None
    locale: str | None
    batch_size: int | None
    at: str | None
    data: dict[str, str]
    skip_invalid: bool
    hold: bool


class Template(NamedTuple):
    """A published version of a template: what is sent."""

    reference: str
    draft: TemplateDraft

    @property
    def variables(self) -> list[Variable]:
        """The variables that it declares."""
        return self.draft.variables if isinstance(self.draft.variables, list) else []


def published(pager: Pager, name: str) -> Template:
    """Return the version that ``name`` or ``name@3`` means; raise where there is none."""
    bare, _, number = name.partition("@")
    versions = pager.templates.versions(bare)
    if not versions:
        raise Refusal(f"{bare} has no published version", do=f"pagerctl templates publish {bare}")
    found = next((one for one in versions if number in {"", str(one.version)}), None)
    if found is None:
        known = ", ".join(str(one.version) for one in versions[:10])
        raise Refusal(f"{bare} has no version {number}", do=f"there are {known}", code=MISUSED)
    return Template(f"{bare}@{found.version}", found.draft)


def options_of(words: Words, template: Template) -> dict[str, Any]:
    """Return the session's options, as the client takes them."""
    options = {
        "channel": words.channel,
        "sender": words.sender,
        "locale": words.locale,
        "batch_size": words.batch_size,
        "send_at": moment(words.at).isoformat() if words.at else None,
        "data": typed(words.data, template.variables) or None,
        "on_invalid": "skip" if words.skip_invalid else None,
        "on_doubt": "hold" if words.hold else None,
    }
    return {name: value for name, value in options.items() if value is not None}


def moment(text: str) -> datetime:
    """Return the moment that ``--at`` names; without an offset from UTC it is meant as it is on this machine."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as problem:
        hint = "write a date and time such as '2026-12-24 18:00' or 2026-12-24T18:00:00+01:00"
        raise Refusal(f"--at {text!r} is no moment", do=hint, code=MISUSED) from problem


def key_of(template: Template, options: dict[str, Any], content: str) -> str:
    """Return the idempotency key of an order: the same for the same people, version and options, wherever typed."""
    order = {"template": template.reference, "options": options, "content": content}
    text = json.dumps(order, sort_keys=True, separators=(",", ":"), default=str)
    return f"pagerctl-{hashlib.sha256(text.encode()).hexdigest()[:48]}"


def next_key(key: str, session: str) -> str:
    """Return the key after ``key``, for when the session that it named is history."""
    return f"pagerctl-{hashlib.sha256(f'{key} {session}'.encode()).hexdigest()[:48]}"
