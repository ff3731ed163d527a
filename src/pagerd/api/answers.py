"""From a stage's words to the wire: bytes, made once."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from pagerd.core.requests import Answer

_encode = msgspec.json.Encoder().encode


class Reply(ASGIResponse):
    """An answer whose body is already bytes."""


def shown(view: Any, status: int = 200, *, headers: dict[str, str] | None = None) -> Reply:
    """Answer a view as JSON."""
    return Reply(body=_encode(view), status_code=status, headers=headers)


def listed(items: list[Any]) -> Reply:
    """Answer a list that has no further pages."""
    return Reply(body=_encode({"items": items, "next_cursor": None}))


def given(answer: Answer) -> Reply:
    """Answer what a stage has encoded, and say whether it was the answer to an earlier, equal request."""
    extra = {"idempotent-replayed": "true"} if answer.replayed else None
    return Reply(body=answer.body, status_code=answer.status, headers=extra)
