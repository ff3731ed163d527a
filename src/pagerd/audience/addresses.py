"""E-mail addresses: is it one, what to write to, and who is the same person.

Nearly every address is plain ASCII and passes one regular expression; all others take the long way, where the
``email-validator`` library judges internationalised parts (RFC 6531, IDNA 2008) and says what is wrong.

Decisions:

- Special-use domains (``example.com``, ``sim.test``, ``localhost``) are addresses like any other. A domain without
  a dot is taken for a slip, except ``localhost``; one that ends in a number is no domain.
- Quoted local parts and address literals (``ada@[192.0.2.1]``) are refused: nobody has one, and they are how
  addresses that mean two things are made.
- Local parts differ in case by RFC 5321 (2.4), but no provider of note keeps ``Ada@`` and ``ada@`` apart, and to be
  told twice is worse: for *identity* the local part is lower-cased. What is written to keeps its case. Dots and
  ``+tags`` are kept: they do tell people apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from pagerd.audience.limits import ADDRESS_OCTETS, LABEL_OCTETS, LOCAL_OCTETS
from pagerd.core.recipients import Flaw

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_DOMAIN: Final = rf"(?:(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}|localhost)"

_is_plain: Final = re.compile(rf"(?=[^@]{{1,{LOCAL_OCTETS}}}@){_LOCAL}@{_DOMAIN}").fullmatch
_is_local: Final = re.compile(_LOCAL).fullmatch
_is_domain: Final = re.compile(_DOMAIN, re.IGNORECASE | re.ASCII).fullmatch
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]").search

_ELSEWHERE: Final = ".example.com"
"""Appended to a domain while the library looks at it: it refuses special-use names, which are fine here."""


class Mailbox(msgspec.Struct, frozen=True, gc=False):
    """A checked address.

    ``address`` is what to write to, its domain in ASCII; ``normalised`` is the same for all spellings of one
    mailbox (blind index, duplicates); ``international`` says that its local part needs SMTPUTF8 (RFC 6531).
    """

    address: str
    normalised: str
    international: bool


def checked(to: str) -> Mailbox | Flaw:
    """Return the mailbox that ``to`` names, or a flaw ``address_invalid`` that says what is wrong with it."""
    if _is_plain(to) is not None and "=?" not in to and len(to) <= ADDRESS_OCTETS:
        return Mailbox(to, to.lower(), False)
    return _uncommon(to)


def _uncommon(to: str) -> Mailbox | Flaw:
    """Check what is not plain ASCII dot-atom: spaces around it, internationalised parts, or simply wrong."""
    bare = to.strip(" ")
    if bare != to:
        return checked(bare)
    wrong = _plainly_wrong(to)
    if wrong:
        return _flaw(wrong)
    local, _, domain = to.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    if not ascii_domain:
        return _flaw(_verdict(f"x@{domain}") or "the part after the @ is not a domain")
    if _is_local(local) is None:
        verdict = _verdict(f"{local}@example.com")
        if verdict or local.isascii():
            return _flaw(verdict or "the part before the @ holds what can't stand there")
        local = unicodedata.normalize("NFC", local)
    return _of_parts(local, ascii_domain)


def _of_parts(local: str, ascii_domain: str) -> Mailbox | Flaw:
    """Return the mailbox of checked parts, unless it is too long."""
    address = f"{local}@{ascii_domain}"
    if len(local.encode()) > LOCAL_OCTETS:
        return _flaw(f"the part before the @ is longer than {LOCAL_OCTETS} bytes")
    if len(address.encode()) > ADDRESS_OCTETS:
        return _flaw(f"the address is longer than {ADDRESS_OCTETS} bytes")
    lowered = unicodedata.normalize("NFC", local.lower())
    return Mailbox(address, f"{lowered}@{ascii_domain.lower()}", not local.isascii())


_SLIPS: Final[tuple[tuple[Callable[[str], object], str], ...]] = (
    (lambda to: not to, "the address is empty"),
    (lambda to: len(to) > 2 * ADDRESS_OCTETS, f"the address is longer than {ADDRESS_OCTETS} bytes"),
    (_CONTROL, "the address holds a line break or another control character, which could forge a mail header"),
    (lambda to: "=?" in to, 'the address holds "=?", which mail headers read as the start of an encoded word'),
    (lambda to: to.endswith(">") and "<" in to, "write the bare address: no name before it, no angle brackets"),
    (lambda to: to.lower().startswith("mailto:"), 'write the bare address, without "mailto:"'),
    (lambda to: '"' in to, "quoted local parts are not supported"),
    (lambda to: to.endswith("]") and "@[" in to, "an IP address in brackets is not supported after the @"),
    (
        lambda to: len(to.rpartition("@")[0]) > 2 * LOCAL_OCTETS,
        f"the part before the @ is longer than {LOCAL_OCTETS} bytes",
    ),
    (
        lambda to: max(map(len, to.rpartition("@")[2].split("."))) > LABEL_OCTETS,
        f"a label of the domain is longer than {LABEL_OCTETS} bytes",
    ),
    (lambda to: to.count("@") > 1, "there is more than one @: a recipient has one address"),
)
"""What people and attackers get wrong most, said in our own words: the first that is true."""


def _plainly_wrong(to: str) -> str | None:
    wrong = next((detail for is_so, detail in _SLIPS if is_so(to)), None)
    if wrong is None and "@" not in to:
        return _verdict(to) or "there is no @"
    return wrong


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str:
    """Return a domain as it goes on the wire (IDNA 2008 A-labels, RFC 5891), or nothing if it is not one."""
    if domain.isascii():
        return domain if _is_domain(domain) is not None else ""
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(f"x@{domain}{_ELSEWHERE}", check_deliverability=False)
    except EmailNotValidError:
        return ""
    ascii_domain = (found.ascii_domain or "").removesuffix(_ELSEWHERE)
    return ascii_domain if _is_domain(ascii_domain) is not None else ""


def _verdict(to: str) -> str | None:
    """Return what the library has against an address, as the end of a sentence; ``None`` if nothing."""
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(to, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as wrong:
        text = str(wrong).removesuffix(".")
        return text[:1].lower() + text[1:]
    return None


def _flaw(detail: str) -> Flaw:
    return Flaw("address_invalid", detail)
