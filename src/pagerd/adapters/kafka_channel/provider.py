"""The Kafka provider: a batch of records, handed over at once, one outcome each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pagerd.adapters.kafka_channel import codes
from pagerd.adapters.kafka_channel.link import Link, Refusal, Report
from pagerd.adapters.kafka_channel.records import record_of
from pagerd.adapters.kafka_channel.settings import KafkaSettings
from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.core.policy import Channel
from pagerd.ports.provider import Fence, Limits


class KafkaProvider:
    """Writes records to a customer's topic; a :class:`~pagerd.ports.provider.Provider`.

    A record is accepted when all replicas that are in sync have it. Raises :class:`Misconfigured` when made with
    settings that can't work.
    """

    channel = Channel.KAFKA

    def __init__(self, name: str, settings: KafkaSettings, credential: str | None = None) -> None:
        if settings.user is not None and not credential:
            detail = f"provider {name} has a user, but no credential: it is the password"
            raise Misconfigured(detail, code="credential_missing")
        self.name = name
        self.limits = Limits()
        self._settings = settings
        self._credential = credential
        self._link: Link | None = None
        self._closed = False

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        """Hand over ``messages``; return one outcome each, in order. Never raises.

        Cancelled, it lets nothing more out, waits for the reports of what has left, and returns what is known;
        cancelled once more it does not wait: what has left is in doubt.
        """
        talk = _Talk(messages, fence)
        try:
            if messages:
                link = await self._ready()
                for start in range(0, len(messages), self._settings.unanswered):
                    self._hand_over(talk, link, messages[start : start + self._settings.unanswered])
                    await talk.reports()
                    if talk.doubtful:
                        link.doubt()
                        talk.end("connection_lost", "", FailureClass.NOT_SENT)
        except asyncio.CancelledError:
            await talk.cancelled()
        except Refusal as refusal:
            talk.end(refusal.code, refusal.text, refusal.kind)
        except Exception as error:  # noqa: BLE001 - the contract: no exception leaves, whatever it is
            talk.end("internal_error", type(error).__name__, FailureClass.TRANSIENT)
        return talk.result()

    async def ping(self) -> None:
        """Return when the brokers answer, take the credential and know the topic; raise :class:`Unavailable` if not."""
        try:
            await self._open().ready(anew=True)
        except Refusal as refusal:
            raise Unavailable(f"{refusal.code}: {refusal.text}".rstrip(": "), code=refusal.code) from refusal

    async def aclose(self) -> None:
        """Close every connection; what is under way ends as not sent or in doubt. Twice is harmless."""
        self._closed = True
        if self._link is not None:
            await self._link.aclose()

    async def _ready(self) -> Link:
        if self._link is not None and self._link.broken:
            broken, self._link = self._link, None
            await broken.aclose()
        link = self._open()
        await link.ready()
        return link

    def _open(self) -> Link:
        if self._closed:
            raise Refusal.before("closed", "the provider is closed")
        if self._link is None:
            self._link = Link(self._settings, self._credential)
        return self._link

    def _hand_over(self, talk: _Talk, link: Link, window: Sequence[Message]) -> None:
        """Hand records over as long as the fence stands. The library writes them at once, or when it can again."""
        for message in window:
            if message.place in talk.known:
                continue
            parcel = record_of(message, self._settings)
            if not talk.fence():
                talk.say(message, Refusal.before("fence"))
                continue
            try:
                talk.under_way[message.place] = link.hand_over(parcel)
            except Refusal as refusal:
                talk.say(message, refusal)


class _Talk:
    """One batch on its way: what was handed over, and what is known of each."""

    def __init__(self, messages: Sequence[Message], fence: Fence) -> None:
        self.messages = messages
        self.fence = fence
        self.under_way: dict[int, asyncio.Future[Report]] = {}
        self.known: dict[int, Outcome] = {}
        self.doubtful = False
        self._started = time.time()

    def say(self, message: Message, refusal: Refusal) -> None:
        """Note why a record was not handed over."""
        self._note(message.place, refusal.kind, refusal.code, refusal.text)

    async def reports(self) -> None:
        """Wait for the reports of all that is under way; the library brings each within its time."""
        if self.under_way:
            await asyncio.wait(self.under_way.values())
        self._read()

    async def cancelled(self) -> None:
        """Wait for the reports of what has left; cancelled once more, leave it in doubt."""
        try:
            await self.reports()
        except asyncio.CancelledError:
            self._read()
        self.end("cancelled", "", FailureClass.NOT_SENT)

    def end(self, code: str, text: str, kind: FailureClass) -> None:
        """Say the same of every record that was not handed over."""
        for message in self.messages:
            if message.place not in self.known:
                self._note(message.place, kind, code, text)

    def result(self) -> list[Outcome]:
        """Return one outcome each, in order."""
        return [self.known[message.place] for message in self.messages]

    def _read(self) -> None:
        for place, future in self.under_way.items():
            if not future.done():
                self.doubtful = True
                self._note(place, FailureClass.IN_DOUBT, "cancelled", "")
                continue
            report = future.result()
            if not report.error:
                self._note(place, FailureClass.OK, "acked", "", report.reference)
                continue
            kind = codes.after(report.error)
            self.doubtful = self.doubtful or kind is FailureClass.IN_DOUBT
            self._note(place, kind, codes.code(report.error), report.text)
        self.under_way.clear()

    def _note(self, place: int, kind: FailureClass, code: str, text: str, reference: str = "") -> None:
        self.known[place] = Outcome(
            place=place,
            kind=kind,
            code=code,
            text=text,
            reference=reference,
            started=self._started,
            ended=time.time(),
        )
