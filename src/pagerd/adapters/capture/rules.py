"""Whom the capture server refuses: rules by the domain of the recipient.

The rules of development, so that a person can see each kind of answer without a mail server that gives it:

===========================  ==============================  ==========================================
recipient at                 answer to RCPT                  what it stands for
===========================  ==============================  ==========================================
``refused.example.com``      550 5.1.1, always               nobody of that name
``full.example.com``         452 4.2.2, always               a mailbox that stays full
``deferred.example.com``     451 4.3.0, once per address     a server that has a bad moment
``throttled.example.com``    451 4.7.1, once per address     greylisting, or too much at once
any other                    250
===========================  ==============================  ==========================================

"Once per address" lasts as long as the process: the second try is taken, and every later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Rule(NamedTuple):
    """An answer to RCPT, without its line end; ``once``: the same address is taken from the second try on."""

    reply: str
    once: bool = False


RULES: Final[Mapping[str, Rule]] = {
    "refused.example.com": Rule("550 5.1.1 No such user here"),
    "full.example.com": Rule("452 4.2.2 The mailbox is full"),
    "deferred.example.com": Rule("451 4.3.0 Not now, please try again", once=True),
    "throttled.example.com": Rule("451 4.7.1 Too much at once, please try again later", once=True),
}

REMEMBERED: Final = 100_000
"""How many addresses are remembered for "once": past it all are forgotten, so that memory stays bounded."""


class Rules:
    """Decides about recipients; one object for all connections of a server."""

    def __init__(self, rules: Mapping[str, Rule] = RULES) -> None:
        self._rules = {
            domain.lower().encode(): (rule.reply.encode() + b"\r\n", rule.once) for domain, rule in rules.items()
        }
        self._tried: set[bytes] = set()

    def refusal(self, address: bytes) -> bytes | None:
        """Return the reply line, with CRLF, that refuses ``address``; ``None``: take it."""
        rule = self._rules.get(address[address.rfind(b"@") + 1 :].lower())
        if rule is None:
            return None
        reply, once = rule
        if not once:
            return reply
        if address in self._tried:
            return None
        if len(self._tried) >= REMEMBERED:
            self._tried.clear()
        self._tried.add(address)
        return reply
