"""The query strings of requests: their parameters, types and ranges; faults as for bodies, all at once."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta
from msgspec import inspect as shapes

from pagerd.api import faults
from pagerd.api.calls import Call
from pagerd.core.errors import Fault, Invalid
from pagerd.core.outcomes import ReasonClass
from pagerd.core.states import SessionState

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
RecipientWord = Literal[
    "pending",
    "deferred",
    "sending",
    "in_doubt",
    "accepted",
    "failed",
    "suppressed",
    "duplicate",
    "rejected",
    "unknown",
    "expired",
    "cancelled",
]
BatchWord = Literal["ready", "waiting", "claimed", "dispatching", "succeeded", "failed", "dead", "cancelled", "expired"]
Cursor = Annotated[str, Meta(min_length=1, max_length=1000, description="The next_cursor of the page before.")]


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query string without parameters."""


class PageQuery(Query, frozen=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Cursor | None = None


class SessionsQuery(PageQuery, frozen=True):
    """Which sessions."""

    state: SessionState | None = None


class RecipientsQuery(PageQuery, frozen=True):
    """Which people: ``reason`` is a class of reasons, ``code`` one inside it."""

    state: RecipientWord | None = None
    reason: ReasonClass | None = None
    code: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class BatchesQuery(PageQuery, frozen=True):
    """Which batches."""

    state: BatchWord | None = None


class MessageQuery(Query, frozen=True):
    """How long to wait for the outcome, in seconds."""

    wait: Annotated[float, Meta(ge=0, le=60)] = 0.0


class PartQuery(Query, frozen=True):
    """How a part is to be read.

    ``delimiter`` is what separates the cells of a CSV file, where it is not to be guessed: ``,`` ``;`` or tab, or as
    a word. ``line_offset`` is how many lines of the whole file stand before this part: it is added to each person's
    line, so that later answers name the line of the file.
    """

    delimiter: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    line_offset: Annotated[int, Meta(ge=0, le=2_000_000_000)] = 0


Q = TypeVar("Q", bound=Query)


def asked(call: Call, shape: type[Q]) -> Q:
    """Return the query string as ``shape``; raise :class:`Invalid` with every fault. Values are never said back."""
    if not call.scope["query_string"]:
        return shape()
    texts: dict[str, Any] = {}
    for name, text in call.query_params.multi_items():
        if name in texts:
            raise Invalid(f"The parameter {name[:64]!r} stands twice.", code="parameter_repeated")
        texts[name] = _value(shape, name, text)
    found = faults.inspect(texts, shape, {})
    if found.count:
        named = [_in_query(fault) for fault in found.found]
        raise Invalid(named[0].detail, faults=named, count=found.count)
    return msgspec.convert(texts, shape)


def _value(shape: type[Query], name: str, text: str) -> str | float:
    if name not in _numeric(shape) or not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


@cache
def _numeric(shape: type[Query]) -> frozenset[str]:
    numbers = (shapes.IntType, shapes.FloatType)
    described: Any = shapes.type_info(shape)
    return frozenset(one.encode_name for one in described.fields if isinstance(one.type, numbers))


def _in_query(fault: Fault) -> Fault:
    """Name the parameter in words: JSON Pointers lead into bodies only."""
    name = (fault.pointer or "").removeprefix("/")
    code = "parameter_unknown" if fault.code == "field_unknown" else fault.code
    detail = fault.detail.replace("a field here", "a parameter here")
    return Fault(code=code, detail=detail if code == "parameter_unknown" else f"?{name}= {detail}")
