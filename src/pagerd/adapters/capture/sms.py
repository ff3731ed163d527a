"""The SMS capture server: Twilio's Messages resource over HTTP, sends nothing anywhere. For development only.

It takes any account and credential, and should listen on a loopback address. Twilio's own numbers for tests are
answered as Twilio does, so that a person can see each kind of refusal:

================  ============================  ======================================
number            answer                        what it stands for
================  ============================  ======================================
``+15005550001``  400, 21211                    no number
``+15005550003``  400, 21408                    a country that the account may not write to
``+15005550004``  400, 21610                    somebody who opted out
``+15005550009``  400, 21614                    a number that can't receive SMS
================  ============================  ======================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp import web

REFUSED: Final[Mapping[str, tuple[int, str]]] = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number is not a valid mobile number"),
}
_BODY_BYTES: Final = 64 * 1024
_CHARS: Final = 1600
_PATH: Final = "/2010-04-01/Accounts/{account}"


class Receiver(Protocol):
    """Takes short messages."""

    def deliver_text(self, sender: str, to: str, text: str) -> str:
        """Keep an SMS, and return the name it is kept under; raise :class:`OSError` where it can't be kept."""
        ...


class SmsServer:
    """An HTTP server on ``host``:``port`` (0: any free one) that hands every SMS to ``mailbox``."""

    def __init__(self, mailbox: Receiver, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._mailbox = mailbox
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; from then on ``port`` is the real one. Raise :class:`OSError` where it can't be had."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post(f"{_PATH}/Messages.json", self._message)
        app.router.add_get(f"{_PATH}.json", self._account)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening and close every connection. Twice is harmless."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response({"sid": request.match_info["account"], "status": "active"})

    async def _message(self, request: web.Request) -> web.Response:
        form = await request.post()
        to, text = str(form.get("To", "")), str(form.get("Body", ""))
        sender = str(form.get("From") or form.get("MessagingServiceSid") or "")
        wrong = _refusal(to, sender, text)
        if wrong is not None:
            code, words = wrong
            return web.json_response({"code": code, "message": words, "status": 400}, status=400)
        try:
            name = self._mailbox.deliver_text(sender, to, text)
        except OSError as error:
            return web.json_response({"code": 20503, "message": str(error), "status": 503}, status=503)
        taken = {"sid": name, "status": "queued", "to": to, "from": sender, "body": text, "error_code": None}
        return web.json_response(taken, status=201)


def _refusal(to: str, sender: str, text: str) -> tuple[int, str] | None:
    """Return the code and words with which a message is refused; ``None``: take it."""
    if not to:
        return 21604, "A 'To' phone number is required"
    if not sender:
        return 21603, "A 'From' phone number is required"
    if not text.strip():
        return 21602, "Message body is required"
    if len(text) > _CHARS:
        return 21617, f"The message body exceeds the {_CHARS} character limit"
    return REFUSED.get(to)
