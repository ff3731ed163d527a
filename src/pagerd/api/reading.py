"""From the wire to a body: bytes within their limit, in the right form, decoded, every fault told at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from pagerd.api import faults, jsontext, rules
from pagerd.api.bodies import RULES
from pagerd.api.calls import Call
from pagerd.api.refusals import Disconnected, UnsupportedMedia
from pagerd.core.errors import Invalid, Malformed, TooLarge
from pagerd.core.requests import Retry

MAX_BODY: Final = 1 << 20
"""A JSON body's limit, in bytes."""

MAX_KEY: Final = 255
"""An Idempotency-Key's limit, in characters."""

B = TypeVar("B", bound=msgspec.Struct)


async def read(call: Call, shape: type[B]) -> B:
    """Return the request's body as ``shape``; see :func:`decoded` for what it raises."""
    return decoded(await raw(call), shape)


async def read_or_default(call: Call, shape: type[B]) -> B:
    """Return the request's body as ``shape``, whose fields are all optional: no body at all is one, too."""
    body = await raw(call)
    return decoded(body, shape) if body.strip() else shape()


async def read_once(call: Call, shape: type[B]) -> tuple[B, Retry | None]:
    """Return the body as ``shape``, and what the stage needs to know the same request again."""
    body = await raw(call)
    return decoded(body, shape), retry(headers(call), body)


def headers(call: Call) -> Mapping[bytes, bytes]:
    """Return the request's headers by their lower-case names."""
    return dict(call.scope["headers"])


async def raw(call: Call) -> bytes:
    """Return the bytes of a JSON body; raise :class:`TooLarge` as soon as it is known to be over the limit."""
    sent = headers(call)
    _check_form(sent)
    length = sent.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > MAX_BODY:
        raise _too_large()
    message: Any = await call.receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        return body
    return await _gathered(call, message)


async def _gathered(call: Call, message: Any) -> bytes:
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)
        message = await call.receive()


def _too_large() -> TooLarge:
    return TooLarge(f"A JSON body has at most {MAX_BODY} bytes; upload a big audience in parts.", code="body_too_large")


def _check_form(sent: Mapping[bytes, bytes]) -> None:
    coding = sent.get(b"content-encoding", b"identity").strip().lower()
    if coding not in (b"identity", b""):
        raise UnsupportedMedia("A JSON body is sent without Content-Encoding.", accept_encoding="identity")
    media = sent.get(b"content-type")
    if media is not None and media != b"application/json":
        kind, _, parameters = media.partition(b";")
        charset = parameters.strip().lower().replace(b'"', b"")
        if kind.strip().lower() != b"application/json" or charset not in (b"", b"charset=utf-8"):
            shown = media[:80].decode("latin-1")
            raise UnsupportedMedia(f"This takes application/json in UTF-8, not {shown!r}.", accept="application/json")


def retry(sent: Mapping[bytes, bytes], body: bytes) -> Retry | None:
    """Return the request's Idempotency-Key with its body, or ``None``; raise :class:`Malformed` for an unfit key."""
    key = sent.get(b"idempotency-key")
    if key is None:
        return None
    word = key.decode("latin-1")
    if not (0 < len(word) <= MAX_KEY and word.isascii() and word.isprintable()):
        raise Malformed(
            f"An Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters.", code="invalid_idempotency_key"
        )
    return Retry(key=word, body=body)


def decoded(body: bytes, shape: type[B]) -> B:
    """Return ``body`` as ``shape``.

    Raise :class:`Malformed` where it is no JSON, and :class:`~pagerd.core.errors.Invalid` with every fault where it
    is JSON of another shape. Sound bodies are decoded once; only others are looked at twice.
    """
    try:
        value = _decoder(shape).decode(body)
        sound = rules.kept(value, RULES) and not jsontext.suspicious(body, msgspec.json.encode(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sound = False
    return value if sound else _slowly(body, shape)


@cache
def _decoder(shape: type[B]) -> msgspec.json.Decoder[B]:
    return msgspec.json.Decoder(shape)


def _slowly(body: bytes, shape: type[B]) -> B:
    plain = jsontext.parse(body)
    found = faults.inspect(plain, shape, RULES)
    if found.count:
        found.refuse()
    try:
        return msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
