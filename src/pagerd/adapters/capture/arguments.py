"""Reads the arguments of MAIL and RCPT: a path in angle brackets, then parameters (RFC 5321, section 4.1.2)."""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(rb"<([!#-;=?A-Z\[-~]+@[!#-;=?A-Z\[-~]+)>( [!-~ ]*)?")
"""What nearly every path looks like: nothing quoted, nothing beyond ASCII, one ``@``."""

_PATH: Final = re.compile(
    rb"""
    [ ]?<(?:@[^:<>\s]*:)?          # a source route is read and ignored (appendix F.2); a space before it is forgiven
    ((?:"(?:[^"\\]|\\.)*"|[^<>"\s\x00-\x1f\x7f])*)
    >([ ].*)?
    """,
    re.VERBOSE,
)
_BODIES: Final = frozenset({b"7BIT", b"8BITMIME"})
_NO_SMTPUTF8: Final = b"553 5.6.7 An address beyond ASCII needs SMTPUTF8\r\n"
_NO_PARAMETER: Final = b"555 5.5.4 No such parameter here\r\n"


class Wrong(Exception):
    """The argument can't be accepted; ``reply`` is the line that says why."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


def mail(argument: bytes, size_limit: int) -> tuple[bytes, bool]:
    """Return the sender (empty: the null sender) and whether the mail needs SMTPUTF8; raise :class:`Wrong`."""
    path = _read(argument[5:]) if argument[:5].upper() == b"FROM:" else None
    if path is None or (path[0] and not _has_domain(path[0])):
        raise Wrong(b"501 5.1.7 That is not MAIL FROM:<address>\r\n")
    address, parameters = path
    international = bool(parameters) and _parameters(parameters, size_limit)
    if not (international or address.isascii()):
        raise Wrong(_NO_SMTPUTF8)
    return address, international


def rcpt(argument: bytes, international: bool) -> bytes:
    """Return the recipient's address; raise :class:`Wrong`."""
    path = _read(argument[3:]) if argument[:3].upper() == b"TO:" else None
    if path is None or not (_has_domain(path[0]) or path[0].lower() == b"postmaster"):
        raise Wrong(b"501 5.1.3 That is not RCPT TO:<address>\r\n")
    address, parameters = path
    if parameters.strip():
        raise Wrong(_NO_PARAMETER)
    if not (international or address.isascii()):
        raise Wrong(_NO_SMTPUTF8)
    return address


def bdat(argument: bytes) -> tuple[int, bool]:
    """Return a chunk's octets and whether it is the last (RFC 3030); raise :class:`Wrong`."""
    words = argument.upper().split()
    if not words or not words[0].isdigit() or len(words[0]) > 20 or words[1:] not in ([], [b"LAST"]):
        raise Wrong(b"501 5.5.4 That is not BDAT size [LAST]\r\n")
    return int(words[0]), len(words) == 2


def _parameters(parameters: bytes, size_limit: int) -> bool:
    """Check the parameters of MAIL (RFC 1870, 6152, 6531); return whether SMTPUTF8 is among them."""
    international = False
    for parameter in parameters.upper().split():
        name, _, value = parameter.partition(b"=")
        if parameter == b"SMTPUTF8":
            international = True
        elif name == b"SIZE" and value.isdigit() and len(value) <= 20:
            if int(value) > size_limit:
                raise Wrong(b"552 5.3.4 The mail is bigger than SIZE allows\r\n")
        elif name in {b"SIZE", b"BODY", b"SMTPUTF8"} and value not in _BODIES:
            raise Wrong(b"501 5.5.4 That parameter can't have that value\r\n")
        elif name != b"BODY":
            raise Wrong(_NO_PARAMETER)
    return international


def _read(path: bytes) -> tuple[bytes, bytes] | None:
    """Return (address, parameters) of what follows ``FROM:`` or ``TO:``; ``None`` where it can't be read."""
    found = _PLAIN.fullmatch(path) or _PATH.fullmatch(path)
    if found is None:
        return None
    address, parameters = found.groups()
    try:
        address.decode()
    except UnicodeDecodeError:
        return None
    return address, parameters or b""


def _has_domain(address: bytes) -> bool:
    """Tell whether there is something on both sides of the last ``@``."""
    return 0 < address.rfind(b"@") < len(address) - 1
