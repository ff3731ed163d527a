"""What a call to Pager is made of: steps as data, so that one description serves blocking and asynchronous programs.

A :data:`Plan` is a generator that yields steps and is sent what each of them brought; it returns its result. It
does no I/O and asks no clock, so that it can be driven by :class:`~pagerd.client.blocking.Blocking`, by
:class:`~pagerd.client.awaiting.Awaiting`, or by hand in a test. A :data:`Course` also *gives* items on its way.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator, Mapping
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
SILENCE: Final = 30.0
"""Seconds without a byte after which a server counts as gone."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. ``timeout`` (seconds) is how long the server may be silent."""

    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: bytes = b""
    timeout: float = SILENCE


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Parcel(Protocol):
    """What rows are put into, until it is full."""

    def put(self, row: Any) -> bool:
        """Take one row; return whether there is room for another."""
        ...


class Rows:
    """The rows of an iterable, blocking or asynchronous, taken some at a time."""

    def __init__(self, source: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.blocking: Iterator[Any] | None = None
        self.awaiting: AsyncIterator[Any] | None = None
        if isinstance(source, AsyncIterable):
            self.awaiting = aiter(source)
        else:
            self.blocking = iter(source)


class Ask(msgspec.Struct, frozen=True):
    """Send a request; brings the :class:`Reply`, or raises :class:`~pagerd.client.errors.Unreachable`."""

    request: Request


class Rest(msgspec.Struct, frozen=True):
    """Do nothing for some seconds."""

    seconds: float


class Fill(msgspec.Struct, frozen=True):
    """Put rows into a parcel until it is full; brings ``True`` when the rows have run out."""

    parcel: Any
    rows: Any


class Listen(msgspec.Struct, frozen=True):
    """Send a request whose answer is a stream; brings the reply's head, and the body where it is no event stream."""

    request: Request


class Hear(msgspec.Struct, frozen=True):
    """Wait for the next bytes of what is being listened to; brings ``b""`` at its end."""


class Give(msgspec.Struct, Generic[T], frozen=True):
    """Hand an item to the program that called."""

    item: T


Step: TypeAlias = Ask | Rest | Fill | Listen | Hear
Plan: TypeAlias = Generator[Step, Any, T]
Course: TypeAlias = Generator[Step | Give[T], Any, None]


def ask(request: Request) -> Plan[Reply]:
    """Send ``request`` and return its reply."""
    reply: Reply = yield Ask(request)
    return reply


def rest(seconds: float) -> Plan[None]:
    """Do nothing for ``seconds``."""
    yield Rest(seconds)


def fill(parcel: Parcel, rows: Rows) -> Plan[bool]:
    """Put rows into ``parcel`` until it is full; return whether they have run out."""
    spent: bool = yield Fill(parcel, rows)
    return spent


def listen(request: Request) -> Plan[Reply]:
    """Begin to listen and return the head of the answer."""
    head: Reply = yield Listen(request)
    return head


def hear() -> Plan[bytes]:
    """Return the next bytes of what is being listened to, ``b""`` at its end."""
    chunk: bytes = yield Hear()
    return chunk
