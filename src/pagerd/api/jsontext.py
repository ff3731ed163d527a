"""JSON text that is not as it should be: where it breaks, which name stands twice, how deep it goes.

Sound bodies never come here beyond :func:`suspicious`, which is a few passes in C. Everything else decodes again,
slowly, to be able to say line and column (RFC 8259; unique names: RFC 7493, section 2.3).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

import msgspec

from pagerd.core.errors import Fault, Malformed

MAX_DEPTH: Final = 100
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def suspicious(body: bytes, again: bytes) -> bool:
    """Tell whether a decoded body deserves a second look: a name twice in an object, or too deep.

    ``again`` is the decoded value encoded anew. A name that stood twice stands once in it, so it has fewer
    quotation marks; escaped ones are left out of the count. Strange but sound spelling may be suspected, too.
    """
    if _quotes(body) != _quotes(again):
        return True
    brackets = body.translate(None, _NOT_BRACKETS)
    return len(brackets) > 2 * MAX_DEPTH and _nested(brackets)


def _quotes(text: bytes) -> int:
    return text.count(b'"') - text.count(b'\\"')


def _nested(brackets: bytes) -> bool:
    """Peel pairs of brackets off, one level a pass; those inside strings may leave a rest, which is a suspicion."""
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not fewer or len(fewer) == len(brackets):
            return bool(fewer)
        brackets = fewer
    return True


def parse(body: bytes) -> Any:
    """Return the value of a JSON text; raise :class:`Malformed` with the line and column where it breaks."""
    text = _text(body)
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise _malformed("json_malformed", error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep() from None
    if _too_deep_value(value):
        raise _too_deep()
    return _sound(value)


def _text(body: bytes) -> str:
    if not body.strip():
        raise Malformed("The body is empty; a JSON object is needed.", code="body_empty")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: byte offset {error.start} holds 0x{body[error.start]:02x}."
        raise Malformed(detail, code="encoding") from None


def _malformed(code: str, detail: str, line: int, column: int) -> Malformed:
    fault = Fault(code=code, detail=detail, line=line, column=column)
    where = f"line {line}, column {column}"
    return Malformed(f"The body is not JSON: {detail} ({where}).", code="json_malformed", faults=(fault,))


def _too_deep() -> Malformed:
    return Malformed(f"The body nests objects and lists more than {MAX_DEPTH} deep.", code="too_deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Malformed(f"The name {twice[:64]!r} stands twice in one object.", code="name_repeated")
    return found


def _no_constant(word: str) -> NoReturn:
    raise Malformed(f"{word} is not a number of JSON.", code="json_malformed")


def _integer(digits: str) -> int | float:
    if len(digits) > 308:
        raise _out_of_range(digits)
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _out_of_range(digits)
    return number


def _out_of_range(digits: str) -> Malformed:
    return Malformed(f"The number {digits[:20]}… is too big to be kept.", code="number_out_of_range")


def _too_deep_value(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        if not inner:
            return False
        level = inner
    return True


def _sound(value: Any) -> Any:
    """Refuse half a surrogate pair: it is no character, and no UTF-8 can carry it (RFC 8259, section 8.2)."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (UnicodeEncodeError, msgspec.DecodeError):
        detail = "A string holds half of a surrogate pair (\\ud800 to \\udfff)."
        raise Malformed(detail, code="lone_surrogate") from None
