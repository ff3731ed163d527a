"""The receiving side of one SMTP connection, without the socket (RFC 5321; RFC 2920 PIPELINING, 3030 CHUNKING).

::

    bytes in ──► feed ──► bytes out          closed: write what came out, then hang up

    commands ──DATA──► data ──CRLF.CRLF──► commands
        └─────BDAT n──► chunk ──n octets────┘

Only CRLF ends a command and only CRLF.CRLF ends a mail; a bare CR or LF is content, so nothing can be smuggled
behind a false end. A mail is handed to ``receive`` before its 250 is among the bytes that come out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pagerd.adapters.capture import arguments
from pagerd.adapters.capture.rules import Rules

COMMAND_LIMIT: Final = 2048
"""Octets in a command line; RFC 5321 asks for 512 and what the extensions add."""

RECIPIENT_LIMIT: Final = 1000

SIZE_LIMIT: Final = 25 * 1024 * 1024
"""Octets in a mail, unless the server is told otherwise."""

_COMMANDS, _DATA, _CHUNK = range(3)
_END: Final = b"\r\n.\r\n"
_TOO_BIG: Final = b"552 5.3.4 The mail is bigger than SIZE allows\r\n"
_BARE: Final = b"500 5.5.2 A command ends with CRLF, and has no other CR, LF or NUL\r\n"
_EXTENSIONS: Final = b"250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n"
_NOT_OFFERED: Final = frozenset({b"STARTTLS", b"AUTH", b"EXPN", b"TURN", b"ETRN"})
_WEB: Final = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE"})

Receive = Callable[[bytes, list[bytes], bytes], bytes]
"""Keeps (sender, recipients, mail) and returns its name; :class:`OSError`: it could not be kept."""


class Domain(NamedTuple):
    """What all dialogues of one server share."""

    receive: Receive
    rules: Rules
    size_limit: int = SIZE_LIMIT
    name: bytes = b"localhost"


class Dialogue:
    """One client's dialogue: bytes in, replies out."""

    _sender: bytes | None
    _recipients: list[bytes]
    _international: bool
    _chunked: bool
    _too_big: bool
    _body: bytearray

    def __init__(self, domain: Domain) -> None:
        self.closed = False
        self._domain = domain
        self._receive = domain.receive
        self._refusal = domain.rules.refusal
        self._limit = domain.size_limit
        self._rest = b""
        self._replies: list[bytes] = []
        self._mode = _COMMANDS
        self._overlong = False
        self._greeted = False
        self._want = 0
        self._last = False
        self._begin()
        self._verbs = {
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"BDAT": self._bdat,
            b"EHLO": self._ehlo,
            b"HELO": self._helo,
            b"RSET": self._rset,
            b"NOOP": self._noop,
            b"QUIT": self._quit,
            b"VRFY": self._vrfy,
            b"HELP": self._help,
        }

    @property
    def greeting(self) -> bytes:
        """What the server says first."""
        return b"220 %s ESMTP Pager capture: mail stays here\r\n" % self._domain.name

    def feed(self, data: bytes) -> bytes:
        """Take what arrived, however it was cut, and return what to answer, perhaps nothing."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while at < end and not self.closed:
            if self._mode == _COMMANDS:
                at = self._read_commands(data, at)
            elif self._mode == _DATA:
                at = self._read_data(data, at)
            else:
                at = self._read_chunk(data, at)
        replies = b"".join(self._replies)
        self._replies.clear()
        return replies

    # What arrives: each reads from ``at`` and returns up to where it has read.

    def _read_commands(self, data: bytes, at: int) -> int:
        while self._mode == _COMMANDS and not self.closed:
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep_rest(data[at:])
                return len(data)
            line, at = data[at:end], end + 2
            if self._overlong or len(line) > COMMAND_LIMIT:
                self._overlong = False
                self._replies.append(b"500 5.5.2 The line is too long\r\n")
            else:
                self._replies.append(self._command(line))
            if at == len(data):
                break
        return at

    def _keep_rest(self, rest: bytes) -> None:
        if b"\n" in rest:
            self.closed = True
            self._replies.append(_BARE)
        if self._overlong or len(rest) > COMMAND_LIMIT:
            self._overlong = True
            rest = rest[-1:] if rest.endswith(b"\r") else b""
        self._rest = rest

    def _read_data(self, data: bytes, at: int) -> int:
        if self._body or data[at] == 0x2E:
            return self._read_data_slowly(data, at)
        # Nearly always the whole mail is here and no other line begins with a dot; rfind is the fastest look.
        end = data.rfind(b"\n.", at) - 1
        if data[end : end + 5] == _END and data.rfind(b"\n.", at, end) < 0:
            self._replies.append(self._finish(data[at : end + 2]))
            return end + 5
        end = data.find(_END, at)
        if end < 0:
            return self._read_data_slowly(data, at)
        self._replies.append(self._finish(data[at : end + 2].replace(b"\r\n.", b"\r\n")))
        return end + 5

    def _read_data_slowly(self, data: bytes, at: int) -> int:
        body = self._body
        if not body:
            body += b"\r\n"  # that of the DATA line: a first line of only a dot is the end (section 4.1.1.4)
        had = len(body)
        body += memoryview(data)[at:]
        end = body.find(_END, max(0, had - 4))
        if end < 0:
            if len(body) > self._limit + 8:
                self._too_big = True
                del body[:-4]
            return len(data)
        mail = bytes(memoryview(body)[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        self._replies.append(self._finish(mail))
        return at + end + 5 - had

    def _read_chunk(self, data: bytes, at: int) -> int:
        taken = min(self._want, len(data) - at)
        if self._recipients and not self._too_big:
            self._body += memoryview(data)[at : at + taken]
        self._want -= taken
        if not self._want:
            self._replies.append(self._end_chunk())
        return at + taken

    # What was understood: each does what a command asks and returns the reply, empty where none is due yet.

    def _command(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        if b"\n" in line or b"\r" in line or b"\0" in line:
            self.closed = True
            return _BARE
        act = self._verbs.get(verb) or self._verbs.get(verb.upper())
        if act is None:
            return self._unknown(verb.upper())
        try:
            return act(argument)
        except arguments.Wrong as wrong:
            return wrong.reply

    def _unknown(self, verb: bytes) -> bytes:
        if verb in _WEB:  # a page that makes a browser speak to this port gets no second line
            self.closed = True
            return b"421 4.7.0 This is SMTP, not HTTP\r\n"
        if verb in _NOT_OFFERED:
            return b"502 5.5.1 Not offered here\r\n"
        return b"500 5.5.1 No such command\r\n"

    def _mail(self, argument: bytes) -> bytes:
        if not self._greeted:
            return b"503 5.5.1 Say EHLO first\r\n"
        if self._sender is not None:
            return b"503 5.5.1 A mail is under way already\r\n"
        self._sender, self._international = arguments.mail(argument, self._limit)
        return b"250 2.1.0 Ok\r\n"

    def _rcpt(self, argument: bytes) -> bytes:
        if self._sender is None or self._chunked:
            return b"503 5.5.1 Not now: MAIL, then RCPT, then the mail\r\n"
        address = arguments.rcpt(argument, self._international)
        if len(self._recipients) >= RECIPIENT_LIMIT:
            return b"452 4.5.3 Too many recipients\r\n"
        refusal = self._refusal(address)
        if refusal is not None:
            return refusal
        self._recipients.append(address)
        return b"250 2.1.5 Ok\r\n"

    def _data(self, argument: bytes) -> bytes:
        if argument:
            return b"501 5.5.4 DATA stands alone\r\n"
        if self._sender is None or self._chunked:
            return b"503 5.5.1 Not now: MAIL, then RCPT, then the mail\r\n"
        if not self._recipients:
            return b"554 5.5.1 No valid recipients\r\n"
        self._mode = _DATA
        return b"354 End with a dot on a line of its own\r\n"

    def _bdat(self, argument: bytes) -> bytes:
        try:
            self._want, self._last = arguments.bdat(argument)
        except arguments.Wrong:
            self.closed = True  # how many octets follow is a guess, and a wrong one would take a mail for commands
            raise
        self._chunked = True
        self._mode = _CHUNK
        if len(self._body) + self._want > self._limit:
            self._too_big = True
            self._body.clear()
        return b"" if self._want else self._end_chunk()

    def _end_chunk(self) -> bytes:
        self._mode = _COMMANDS
        if self._sender is None:
            self._begin()
            return b"503 5.5.1 Not now: MAIL, then RCPT, then the mail\r\n"
        if self._recipients and not self._too_big:
            return self._finish(bytes(self._body)) if self._last else b"250 2.0.0 Ok\r\n"
        reply = _TOO_BIG if self._recipients else b"554 5.5.1 No valid recipients\r\n"
        if self._last:  # until then, or RSET, the other chunks of the same mail are refused as this one (RFC 3030)
            self._begin()
        return reply

    def _finish(self, mail: bytes) -> bytes:
        """Hand a whole mail over, and only then promise to have it."""
        self._mode = _COMMANDS
        sender, recipients = self._sender or b"", self._recipients
        too_big = self._too_big or len(mail) > self._limit
        self._begin()
        if too_big:
            return _TOO_BIG
        try:
            name = self._receive(sender, recipients, mail)
        except OSError:
            return b"452 4.3.1 It can't be kept now: is the disk full?\r\n"
        return b"250 2.0.0 Ok: %s\r\n" % name

    def _ehlo(self, argument: bytes) -> bytes:
        if not argument.strip():
            return b"501 5.5.4 EHLO who?\r\n"
        self._greeted = True
        self._begin()
        return b"250-%s\r\n250-SIZE %d\r\n%s" % (self._domain.name, self._limit, _EXTENSIONS)

    def _helo(self, argument: bytes) -> bytes:
        if not argument.strip():
            return b"501 5.5.4 HELO who?\r\n"
        self._greeted = True
        self._begin()
        return b"250 %s\r\n" % self._domain.name

    def _rset(self, argument: bytes) -> bytes:
        del argument
        self._begin()
        return b"250 2.0.0 Ok\r\n"

    def _noop(self, argument: bytes) -> bytes:
        del argument
        return b"250 2.0.0 Ok\r\n"

    def _quit(self, argument: bytes) -> bytes:
        del argument
        self.closed = True
        return b"221 2.0.0 Bye\r\n"

    def _vrfy(self, argument: bytes) -> bytes:
        del argument
        return b"252 2.1.5 Send it, and see\r\n"

    def _help(self, argument: bytes) -> bytes:
        del argument
        return b"214 2.0.0 RFC 5321\r\n"

    def _begin(self) -> None:
        """Forget the mail under way, if any."""
        self._sender = None
        self._recipients = []
        self._international = False
        self._chunked = False
        self._too_big = False
        self._body = bytearray()
