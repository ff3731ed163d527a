"""The start-up test of the mail builder: what must be refused is refused, here, with this Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pagerd.core.errors import Broken, Invalid
from pagerd.core.templates import Parts
from pagerd.render.skeleton import MailSkeleton

_POISONS: Final = (
    "=?utf-8?q?x=0ABcc:_eve@evil.example?=",
    "=?utf-8?b?eApCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "x\r\nBcc: eve@evil.example",
    "x\nBcc: eve@evil.example",
    "x\rBcc: eve@evil.example",
    "x\x00y",
    "x\x7fy",
)
"""Python 3.11.7 decodes the first two into a line break and a real Bcc header."""


def self_test() -> None:
    """Return when the mail builder refuses every poison and reads its own samples back; raise :class:`Broken` if not.

    Called once, before the first mail. The samples are read back by the skeleton itself, as for every skeleton.
    """
    try:
        skeleton = MailSkeleton("Pager <pager@example.com>", reply_to="answers@example.com", locale="en")
    except Invalid as problem:
        raise Broken(f"the mail builder failed its own test: {problem.detail}", code="mail_self_test") from problem
    for poison in _POISONS:
        for place, attempt in _attempts(skeleton, poison).items():
            if not _refused(attempt):
                detail = f"the mail builder let {poison!r} into the {place}"
                raise Broken(detail, code="mail_self_test")


def _attempts(skeleton: MailSkeleton, poison: str) -> dict[str, Callable[[], object]]:
    """Return the ways in which a text from outside could reach a header."""
    parts = Parts(subject="s", text="t", html=None)
    poisoned = Parts(subject=poison, text="t", html=None)
    to, key = "ada@example.com", "0@example.com"
    return {
        "subject": lambda: skeleton.fill(poisoned, to=to, message_id=key, date=0),
        "recipient": lambda: skeleton.fill(parts, to=f"{poison}@example.com", message_id=key, date=0),
        "recipient's name": lambda: skeleton.fill(parts, to=to, name=poison, message_id=key, date=0),
        "Message-ID": lambda: skeleton.fill(parts, to=to, message_id=f"{poison}@example.com", date=0),
        "further header": lambda: skeleton.fill(parts, to=to, message_id=key, date=0, extra=[("X-Note", poison)]),
        "sender": lambda: MailSkeleton(f"{poison} <hi@example.com>"),
        "reply address": lambda: MailSkeleton("hi@example.com", reply_to=f"{poison} <hi@example.com>"),
    }


def _refused(attempt: Callable[[], object]) -> bool:
    """Tell whether an attempt was refused."""
    try:
        attempt()
    except Invalid:
        return True
    return False
