"""The SMS provider: one request a message, many at a time, one outcome each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import aiohttp

from pagerd.adapters.twilio.answers import Said, understood
from pagerd.adapters.twilio.codes import LOCAL
from pagerd.adapters.twilio.request import Call, form_of
from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.core.policy import Channel
from pagerd.core.segments import segments
from pagerd.ports.provider import Fence, Limits

_VERSION: Final = "2010-04-01"
_ANSWER_BYTES: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


class TwilioProvider:
    """Hands short messages to a Twilio-style API; a :class:`~pagerd.ports.provider.Provider`.

    Raises :class:`Misconfigured` when made with settings that can't work.
    """

    channel = Channel.SMS

    def __init__(self, name: str, settings: TwilioSettings, credential: str | None = None) -> None:
        if not credential:
            detail = f"provider {name} has no credential: the account's auth token, or the secret of its api_key"
            raise Misconfigured(detail, code="credential_missing")
        _check_region(name, settings.default_region)
        self.name = name
        self.limits = Limits(connections=settings.connections)
        self._settings = settings
        self._account = f"{settings.base_url.rstrip('/')}/{_VERSION}/Accounts/{settings.account}"
        self._login = aiohttp.encode_basic_auth(settings.api_key or settings.account, credential, "utf-8")
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        """Hand over ``messages``; return one outcome each, in order. Never raises.

        Cancelled, it lets nothing more out, waits for the answers to what has left, and returns what is known;
        cancelled once more it does not wait: what has left is in doubt.
        """
        if not messages:
            return []
        calls = [Call(m, form_of(m, self._settings), fence, self._settings.answer_timeout) for m in messages]
        tasks = [asyncio.create_task(self._carry(call)) for call in calls]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            await _halt(calls, tasks)
        return [task.result() for task in tasks]

    async def ping(self) -> None:
        """Return when the API answers and accepts the credential; raise :class:`Unavailable` with words if not."""
        if self._closed:
            raise Unavailable("the provider is closed", code="closed")
        limit = self._settings.connect_timeout + self._settings.answer_timeout
        try:
            async with asyncio.timeout(limit), self._open().get(f"{self._account}.json", allow_redirects=False) as got:
                said = understood(got.status, got.headers, await _limited(got), time.time())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            code, words = _told(error)
            raise Unavailable(f"{code}: {words}".rstrip(": "), code=code) from error
        if said.kind is not FailureClass.OK:
            raise Unavailable(f"{said.code}: {said.text}".rstrip(": "), code="refused")

    async def aclose(self) -> None:
        """Close every connection; what is under way ends as not sent or in doubt. Twice is harmless."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _carry(self, call: Call) -> Outcome:
        """Return one message's outcome, whatever happens, also when it is cancelled."""
        call.started = time.time()
        try:
            said = self._refused(call) or await self._ask(call)
        except asyncio.CancelledError:
            said = _unanswered(call, "cancelled", "")
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            said = _unanswered(call, *_told(error))
        except Exception as error:  # noqa: BLE001 - the contract: no exception leaves, whatever it is
            said = _unanswered(call, "internal_error", type(error).__name__)
        return Outcome(
            place=call.message.place,
            kind=said.kind,
            code=said.code,
            text=said.text,
            reference=said.reference,
            retry_after=said.retry_after,
            started=call.started,
            ended=time.time(),
        )

    def _refused(self, call: Call) -> Said | None:
        """Return why a message is not even tried, or ``None``."""
        if self._closed:
            return _local("closed", "the provider is closed")
        if not (call.message.sender or self._settings.sender):
            return _local("sender_missing", "nobody is named as the sender")
        needed = segments(call.message.body.decode("utf-8", "replace")).count
        if needed > self._settings.max_segments:
            return _local("too_many_segments", f"{needed} segments; {self._settings.max_segments} are the most")
        return None

    async def _ask(self, call: Call) -> Said:
        """Send one request and return what its answer says."""
        headers = {"Content-Type": _FORM, "Content-Length": str(len(call.form))}
        async with asyncio.timeout(None) as call.deadline:
            async with self._open().post(
                f"{self._account}/Messages.json", data=call.body(), headers=headers, allow_redirects=False
            ) as answer:
                status, fields = answer.status, answer.headers.copy()
                raw = await _limited(answer)
        return understood(status, fields, raw, time.time())

    def _open(self) -> aiohttp.ClientSession:
        """Return the session: no cookies, no proxy of the environment, as many connections as allowed."""
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=settings.connections, keepalive_timeout=settings.idle_timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Authorization": self._login, "User-Agent": "pagerd"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout),
                trust_env=False,
            )
        return self._session


async def _halt(calls: Sequence[Call], tasks: Sequence[asyncio.Task[Outcome]]) -> None:
    """Let nothing more out; wait for the answers to what has left, unless cancelled once more."""
    for call, task in zip(calls, tasks, strict=True):
        if not call.written:
            task.cancel()
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    """Return an answer's body; what is too long or breaks off is left out, for the status alone says enough."""
    try:
        raw = await answer.content.read(_ANSWER_BYTES)
        while not answer.content.at_eof() and len(raw) < _ANSWER_BYTES:
            raw += await answer.content.read(_ANSWER_BYTES - len(raw))
    except (aiohttp.ClientError, OSError):
        return b""
    if not answer.content.at_eof():
        answer.close()
    return raw


def _unanswered(call: Call, code: str, text: str) -> Said:
    """Return what becomes of a message whose answer was not read: a doubt once its body was written."""
    if call.written:
        return Said(kind=FailureClass.IN_DOUBT, code=code, text=text)
    return _local("fence", "") if call.fallen else _local(code, text)


def _local(code: str, text: str) -> Said:
    return Said(kind=LOCAL.get(code, FailureClass.TRANSIENT), code=code, text=text)


def _told(error: Exception) -> tuple[str, str]:
    """Return the code and words of what went wrong with a connection."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "tls_unverified", str(error.certificate_error)[:200]
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls_failed", str(error.strerror or "TLS handshake failed")[:200]
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns_failed", error.strerror or "unknown host"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "connect_failed", getattr(error, "strerror", None) or "no connection in time"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time"
    return "connection_lost", getattr(error, "strerror", None) or type(error).__name__


def _check_region(name: str, region: str | None) -> None:
    """Raise :class:`Misconfigured` for a default region that has no telephone numbers."""
    import phonenumbers

    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        detail = f"provider {name}: default_region {region} is no region with telephone numbers; write one like AT"
        raise Misconfigured(detail, code="region_unknown")
