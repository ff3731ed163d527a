"""A provider that delivers to a list, and answers as it was told to."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence

import msgspec

from pagerd.core.errors import Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.core.policy import Channel
from pagerd.ports.provider import Fence, Limits
from pagerd.ports.time import Clock


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says about one message; ``arrives`` tells whether the message had its effect all the same."""

    kind: FailureClass = FailureClass.OK
    code: str = "250 2.0.0"
    text: str = ""
    retry_after: float | None = None
    arrives: bool = True


OK = Answer()
REFUSED = Answer(kind=FailureClass.PERMANENT_ADDRESS, code="550 5.1.1", arrives=False)
LATER = Answer(kind=FailureClass.TRANSIENT, code="451 4.3.0", arrives=False)
LOST_ANSWER = Answer(kind=FailureClass.IN_DOUBT, code="no_answer")
LOST_MESSAGE = Answer(kind=FailureClass.IN_DOUBT, code="no_answer", arrives=False)


class MemoryProvider:
    """Implements ``ports.provider.Provider``: every message is accepted, unless its address was given a script.

    While ``gate`` is cleared the next message waits, before the fence is asked, so that a test can stop between two.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "memory",
        channel: Channel = Channel.EMAIL,
        limits: Limits | None = None,
    ) -> None:
        self._clock = clock
        self._name = name
        self._channel = channel
        self._limits = limits or Limits()
        self._script: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._arrived: list[bytes] = []
        self._closed = False
        self.down: str | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def name(self) -> str:
        """The name that its settings gave it."""
        return self._name

    @property
    def channel(self) -> Channel:
        """The channel that it carries."""
        return self._channel

    @property
    def limits(self) -> Limits:
        """What it can take."""
        return self._limits

    @property
    def arrived(self) -> list[Message]:
        """Every message that had its effect, in order, as often as it had it."""
        return [msgspec.msgpack.decode(message, type=Message) for message in self._arrived]

    def say(self, address: str, *answers: Answer) -> None:
        """Answer the next messages to ``address`` with these, one each; then all is well again."""
        self._script[address].extend(answers)

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        """Hand over ``messages``; return one outcome each, in order. Never raises, also not when it is cancelled."""
        outcomes: list[Outcome] = []
        try:
            for message in messages:
                await asyncio.sleep(0)
                await self.gate.wait()
                outcomes.append(self._send(message, fence))
        except asyncio.CancelledError:
            left = messages[len(outcomes) :]
            outcomes += [self._not_sent(message, "cancelled") for message in left]
        return outcomes

    async def ping(self) -> None:
        """Return; raise :class:`Unavailable` with the words in ``down``."""
        if self.down is not None or self._closed:
            raise Unavailable(self.down or "the provider is closed")

    async def aclose(self) -> None:
        """Close; twice is harmless."""
        self._closed = True

    def _send(self, message: Message, fence: Fence) -> Outcome:
        if self._closed or self.down is not None:
            return self._outcome(message, Answer(kind=FailureClass.TRANSIENT, code="connect", text=self.down or ""))
        if not fence():
            return self._not_sent(message, "fence")
        script = self._script[message.to]
        answer = script.popleft() if script else OK
        if answer.arrives:
            self._arrived.append(msgspec.msgpack.encode(message))
        return self._outcome(message, answer)

    def _not_sent(self, message: Message, code: str) -> Outcome:
        return self._outcome(message, Answer(kind=FailureClass.NOT_SENT, code=code))

    def _outcome(self, message: Message, answer: Answer) -> Outcome:
        now = self._clock.now()
        told = answer.kind in (FailureClass.OK, FailureClass.ALREADY_ACCEPTED)
        return Outcome(
            place=message.place,
            kind=answer.kind,
            code=answer.code,
            text=answer.text,
            reference=f"memory-{len(self._arrived)}" if told else "",
            retry_after=answer.retry_after,
            started=now,
            ended=now,
        )
