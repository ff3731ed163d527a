"""Addresses as mail headers hold them: checked once more, whoever checked them before."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pagerd.core.errors import Invalid
from pagerd.render.errors import RenderFailed
from pagerd.render.headers import refuse_unsafe

_ADDRESS: Final = re.compile(
    r"(?:[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]+|\"(?:[^\"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*\")"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Za-z:.]+\])"
)
"""Local part (atoms or quoted), ``@``, domain in ASCII (RFC 5322, section 3.4.1; RFC 6532 for the local part)."""

_LONGEST: Final = 320
_MAILBOX: Final = re.compile(r"\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<name>[^<>\"]*?))\s*<(?P<address>[^<>]*)>\s*")


class Mailbox(msgspec.Struct, frozen=True):
    """A sender or reply address: what people read, and the address itself, its domain in ASCII."""

    name: str
    address: str


def address_bytes(what: str, address: str) -> bytes:
    """Return an address for a header, in UTF-8; raise :class:`RenderFailed` for whatever is not one single address."""
    if _ADDRESS.fullmatch(address) is None or len(address) > _LONGEST or "=?" in address:
        refuse_unsafe(what, address)
        raise RenderFailed("address_unsafe", f"the {what} is not an address that can stand in a header", part=what)
    try:
        return address.encode()
    except UnicodeEncodeError:
        raise RenderFailed("address_unsafe", f"the {what} holds an unpaired surrogate", part=what) from None


def read_mailbox(text: str) -> Mailbox:
    """Return what ``Shop <hi@shop.example>``, ``"Shop, Inc." <…>`` or a bare address says.

    Raise :class:`Invalid`: ``header_injection`` for control characters and ``=?``, ``sender_invalid`` for the rest.
    """
    refuse_unsafe("sender", text)
    match = _MAILBOX.fullmatch(text)
    name, address = "", text.strip()
    if match is not None:
        quoted = match["quoted"]
        name = match["name"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        address = match["address"].strip()
    local, at, domain = address.rpartition("@")
    if at and not domain.isascii():
        address = f"{local}@{_ascii_domain(domain)}"
    try:
        address_bytes("sender", address)
    except RenderFailed:
        detail = f"{text!r} is no sender: write it as 'Name <local@domain>' or 'local@domain'"
        raise Invalid(detail, code="sender_invalid") from None
    return Mailbox(name.strip(), address)


def _ascii_domain(domain: str) -> str:
    """Return a domain in its ASCII form (IDNA), or as it was where it has none: the check after it refuses it."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
