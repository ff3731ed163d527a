"""A provider: a configured service that carries a channel's messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from pagerd.core.messages import Message
from pagerd.core.outcomes import Outcome
from pagerd.core.policy import Channel

Fence = Callable[[], bool]
"""Asked just before the write that contains a message's last byte; ``False``: it must not be written."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider can take: messages in one ``send``, connections at a time."""

    batch: int = 500
    connections: int = 1


class Provider(Protocol):
    """Hands messages to the world and says what became of each.

    The contract, checked by ``tests/contracts/test_provider.py`` for every adapter: one outcome per message, in
    the order given; before the last byte a failure is *not sent* (``transient``, ``not_sent``, …), from that write
    on an unread answer is ``in_doubt``; a fallen fence gives ``not_sent``; no exception leaves ``send``, also not
    when it is cancelled between messages: what is known is returned.
    """

    @property
    def name(self) -> str:
        """The name that its settings gave it."""
        ...

    @property
    def channel(self) -> Channel:
        """The channel that it carries."""
        ...

    @property
    def limits(self) -> Limits:
        """What it can take."""
        ...

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        """Hand over ``messages``; return one outcome each, in order. Never raises."""
        ...

    async def ping(self) -> None:
        """Return when the peer answers and accepts the credential; raise :class:`Unavailable` with words if not."""
        ...

    async def aclose(self) -> None:
        """Close every connection; twice is harmless."""
        ...


class ProviderKind(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of provider is made: its name, its channel, the schema of its settings, and the maker.

    ``settings`` is a frozen ``msgspec.Struct`` type with ``forbid_unknown_fields``; ``open`` is called as
    ``open(name, settings, credential)`` with the credential in clear or ``None``. ``loopback_only(settings)`` tells
    whether these settings stay on this machine.
    """

    name: str
    channel: Channel
    settings: type[msgspec.Struct]
    open: Callable[[str, Any, str | None], Provider]
    loopback_only: Callable[[Any], bool]
