"""Messages: tell one person, at once."""

from __future__ import annotations

from typing import Unpack

from pagerd.client.calls import at, posted
from pagerd.client.face import F, Faced, operation
from pagerd.client.message import Message
from pagerd.client.options import MessageOptions, body_of
from pagerd.client.sessioncalls import fresh_key
from pagerd.client.steps import Plan, Request
from pagerd.core.views import RecipientView, TimelineView


class Messages(Faced[F]):
    """Messages to one person each, in the urgent lane."""

    @operation
    def send(
        self,
        to: str | dict[str, str],
        *,
        template: str,
        idempotency_key: str | None = None,
        **options: Unpack[MessageOptions],
    ) -> Plan[Message[F]]:
        """Tell one person, each in the words of ``template``. When it returns, the message is safe on the disk."""
        body = body_of(options, to=to, template=template)
        request = posted(at("messages"), body, key=idempotency_key or fresh_key())
        return Message(self._face, (yield from self._call(RecipientView, request)))

    @operation
    def get(self, id: str) -> Plan[Message[F]]:
        """Return one message, with every attempt."""
        timeline = yield from self._call(TimelineView, Request(method="GET", path=at("messages", id)))
        return Message(self._face, timeline.recipient, timeline)
