"""Server-sent events, read without I/O (HTML Living Standard, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from pagerd.client.errors import NotPager

LARGEST: Final = 1024 * 1024


class Event(msgspec.Struct, frozen=True):
    """One event. ``id`` is that of the last event that had one: where to go on after a break."""

    kind: str
    data: str
    id: str


class Reader:
    """Turns the bytes of an event stream into events, however they were cut."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self._rest = b""
        self._kind = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Give the events that are complete with ``chunk``."""
        lines = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LARGEST:
            raise NotPager("an event is larger than 1 MiB")
        for line in lines:
            if line:
                self._field(line.decode("utf-8", "replace"))
            elif self._data:
                yield Event(self._kind or "message", "\n".join(self._data), self.last_id)
                self._kind, self._data = "", []

    def _field(self, line: str) -> None:
        """Note one line of an event; comments and unknown fields say nothing."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id":
            self.last_id = value
