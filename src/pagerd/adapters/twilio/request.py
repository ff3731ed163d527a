"""A message as the API wants it: the form, and the body that asks the fence before it leaves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlencode, urlsplit

from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.core.messages import Message
from pagerd.ports.provider import Fence

RECIPIENT: Final = "recipient"
"""The parameter by which a status callback carries the recipient's id."""
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")


class FenceDown(Exception):
    """The claim may be lost: nothing more leaves."""


def form_of(message: Message, settings: TwilioSettings) -> bytes:
    """Return the form of the Messages resource for one message."""
    sender = message.sender or settings.sender or ""
    fields = {"To": message.to, "Body": message.body.decode("utf-8", "replace")}
    fields["MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From"] = sender
    if settings.status_callback is not None:
        joint = "&" if urlsplit(settings.status_callback).query else "?"
        fields["StatusCallback"] = f"{settings.status_callback}{joint}{urlencode({RECIPIENT: message.key})}"
    return urlencode(fields).encode()


class Call:
    """One message on its way: has its body been written, and until when is its answer waited for."""

    __slots__ = ("_fence", "_patience", "deadline", "fallen", "form", "message", "started", "written")

    def __init__(self, message: Message, form: bytes, fence: Fence, patience: float) -> None:
        self.message = message
        self.form = form
        self.written = False
        self.fallen = False
        self.started = 0.0
        self.deadline: asyncio.Timeout | None = None
        self._fence = fence
        self._patience = patience

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the form once the fence stands; the head waits for it, so that without it nothing is asked for."""
        if not self._fence():
            self.fallen = True
            raise FenceDown
        self.written = True
        if self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time() + self._patience)
        yield self.form
