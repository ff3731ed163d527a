"""A part's text as it travels: canonical CRLF, pure ASCII, no line too long, no control characters (RFC 2045)."""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp
from typing import Final

from pagerd.render.limits import LINE_BYTES

_CONTROLS: Final = bytes(set(range(32)) - {9, 10}) + b"\x7f"
_LINE: Final = 76

SEVEN_BIT: Final = b"7bit"
QUOTED: Final = b"quoted-printable"
BASE64: Final = b"base64"


def encoded_body(text: str) -> tuple[bytes, bytes]:
    """Return (Content-Transfer-Encoding, bytes) of a text.

    CR, LF and CRLF all become CRLF; other control characters but the tab are dropped; an unpaired surrogate becomes
    U+FFFD. ASCII with lines of at most 998 bytes travels as it is, mostly ASCII quoted-printable, the rest base64.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        raw = text.encode().translate(None, _CONTROLS)
        if _lines_fit(raw):
            return SEVEN_BIT, raw.replace(b"\n", b"\r\n")
        return _quoted(raw)
    raw = _utf8(text).translate(None, _CONTROLS)
    # A character outside ASCII takes at least one byte more than one, and three bytes for each of its own when quoted.
    if (len(raw) - len(text)) * 12 > len(raw):
        return BASE64, _base64(raw)
    return _quoted(raw)


def _utf8(text: str) -> bytes:
    """Return text in UTF-8; surrogate pairs become their character, unpaired ones U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _lines_fit(raw: bytes) -> bool:
    """Tell whether every line has at most 998 bytes: one look back from every 998th byte."""
    begin = 0
    while len(raw) - begin > LINE_BYTES:
        end = raw.rfind(b"\n", begin, begin + LINE_BYTES + 1)
        if end < 0:
            return False
        begin = end + 1
    return True


def _quoted(raw: bytes) -> tuple[bytes, bytes]:
    """Return bytes with LF as quoted-printable with CRLF (RFC 2045, section 6.7)."""
    lines = b2a_qp(raw, istext=True)
    spaced = b" \n" in raw or b"\t\n" in raw or raw.endswith((b" ", b"\t"))
    if spaced and max(map(len, lines.split(b"\n"))) > _LINE:
        return BASE64, _base64(raw)  # binascii makes a line too long when it has to quote a space at its end
    return QUOTED, lines.replace(b"\n", b"\r\n")


def _base64(raw: bytes) -> bytes:
    """Return bytes with LF in base64, with CRLF inside and outside, on lines of 76 (RFC 2045, section 6.8)."""
    whole = b2a_base64(raw.replace(b"\n", b"\r\n"), newline=False)
    return b"\r\n".join([whole[at : at + _LINE] for at in range(0, len(whole), _LINE)])
