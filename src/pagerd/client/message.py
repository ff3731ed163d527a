"""One message to one person, as a program holds it."""

from __future__ import annotations

from typing import Final

from pagerd.client.calls import at, plain
from pagerd.client.face import F, Faced, operation
from pagerd.client.steps import Plan, Request
from pagerd.core.states import UNSETTLED
from pagerd.core.views import ReasonOf, RecipientView, TimelineView

LOOK_SECONDS: Final = 20.0
"""How long one request waits for an outcome; a longer wait is made of several."""

_UNSETTLED: Final = frozenset(state.word for state in UNSETTLED)


class Message(Faced[F]):
    """A message. ``recipient`` is how it looked last; ``timeline`` is every attempt, once it was waited for."""

    def __init__(self, face: F, recipient: RecipientView, timeline: TimelineView | None = None) -> None:
        super().__init__(face)
        self.recipient = recipient
        self.timeline = timeline

    @property
    def id(self) -> str:
        """Its identifier, ``rcp_…``."""
        return self.recipient.id

    @property
    def session(self) -> str:
        """The identifier of its session."""
        return self.recipient.session

    @property
    def state(self) -> str:
        """Where it stood when it was looked at last."""
        return self.recipient.state

    @property
    def told(self) -> bool:
        """Whether a provider has taken responsibility for it."""
        return self.state == "accepted"

    @property
    def settled(self) -> bool:
        """Whether it has come to its end."""
        return self.state not in _UNSETTLED

    @property
    def reason(self) -> ReasonOf | None:
        """Why the person is not simply told."""
        return self.recipient.reason

    def __repr__(self) -> str:
        return f"<Message {self.id} {self.state}>"

    @operation
    def refresh(self) -> Plan[Message[F]]:
        """Look again."""
        yield from self._look(None)
        return self

    @operation
    def wait(self, seconds: float) -> Plan[Message[F]]:
        """Wait for the outcome, at most ``seconds``; then see ``told``, ``state`` and ``reason``."""
        while True:
            yield from self._look(max(0.0, min(seconds, LOOK_SECONDS)))
            seconds -= LOOK_SECONDS
            if self.settled or seconds <= 0:
                return self

    def _look(self, wait: float | None) -> Plan[None]:
        """Look at it; the server answers when it is settled, or after ``wait`` seconds."""
        request = Request(
            method="GET",
            path=at("messages", self.id),
            query=plain({"wait": f"{wait:.3f}" if wait else None}),
            timeout=10.0 + (wait or 0.0),
        )
        self.timeline = yield from self._call(TimelineView, request)
        self.recipient = self.timeline.recipient
