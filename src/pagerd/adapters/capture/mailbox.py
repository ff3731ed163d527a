"""The captured mails and short messages: the newest in memory, and on disk too where a directory is given.

They are kept as they came, with addresses and contents in clear: capture is for development only, and must never
be pointed at real people's mail.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pagerd.adapters.capture import reading
from pagerd.adapters.capture.journal import Entry, Journal
from pagerd.core import ids
from pagerd.core.errors import Missing
from pagerd.core.policy import Channel
from pagerd.ports.mailbox import Captured, Summary

KEEP: Final = 5000
KEEP_BYTES: Final = 64 * 1024 * 1024

_PREFIX: Final = "cap"
_ID_BYTES: Final = 5
_BREATH: Final = 200
"""After how many mails a long search lets others run."""


class Mailbox:
    """Keeps the ``keep`` newest mails, and of those at most ``keep_bytes`` (the newest always).

    With a ``directory`` each is in its journal before :meth:`deliver` returns, and what the journal holds is there
    from the start. It belongs to one event loop.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        keep: int = KEEP,
        keep_bytes: int = KEEP_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._now = now
        self._mails: OrderedDict[int, Entry] = OrderedDict()
        self._summaries: dict[int, Summary] = {}
        self._bytes = 0
        self._last = 0
        self._revision = 0
        self._closed = False
        self._news = asyncio.Event()
        self._journal: Journal | None = None
        if directory is not None:
            self._journal = Journal(directory, segment_mails=keep, segment_bytes=keep_bytes)
            for entry in self._journal.load():
                self._add(entry)
            self._last = self._journal.last

    @property
    def count(self) -> int:
        """How many mails are kept."""
        return len(self._mails)

    @property
    def revision(self) -> int:
        """A number that every arrival and every clearing changes."""
        return self._revision

    def deliver(self, sender: bytes, recipients: list[bytes], mail: bytes) -> bytes:
        """Keep a mail and return its identifier; raise :class:`OSError` where the journal can't be written."""
        return self._keep_it(Entry(self._last + 1, self._now(), sender, tuple(recipients), mail))

    def deliver_text(self, sender: str, to: str, text: str) -> str:
        """Keep an SMS and return its identifier; raise :class:`OSError` where the journal can't be written."""
        entry = Entry(self._last + 1, self._now(), sender.encode(), (to.encode(),), text.encode(), Channel.SMS)
        return self._keep_it(entry).decode()

    def _keep_it(self, entry: Entry) -> bytes:
        if self._journal is not None:
            self._journal.append(entry)
        self._add(entry)
        self._revision += 1
        self._news.set()
        return _id(entry.number).encode()

    async def page(self, limit: int, before: str | None = None, search: str = "", to: str = "") -> list[Summary]:
        """Return summaries, newest first; see :class:`pagerd.ports.mailbox.Mailbox`."""
        end = self._last + 1 if before is None else _number(before)
        matches = reading.matcher(search, to)
        found: list[Summary] = []
        for looked, entry in enumerate(self._newest_before(end), 1):
            if matches(entry, self._summary):
                found.append(self._summary(entry))
                if len(found) == limit:
                    break
            if looked % _BREATH == 0:
                await asyncio.sleep(0)
        return found

    async def get(self, id: str) -> Captured | None:
        """Return one mail, or ``None``; it is read in a thread, for a hostile one can take its time."""
        try:
            entry = self._mails.get(_number(id))
        except Missing:
            return None
        if entry is None:
            return None
        return await asyncio.to_thread(reading.read, entry, self._summary(entry))

    async def clear(self) -> None:
        """Forget every mail, on disk too; identifiers are not used again."""
        if self._journal is not None:
            self._journal.clear(self._last + 1)
        self._mails.clear()
        self._summaries.clear()
        self._bytes = 0
        self._revision += 1
        self._news.set()

    async def changed(self, seen: int) -> int | None:
        """Return the revision as soon as it is not ``seen``; ``None`` when the mailbox is closed."""
        while not self._closed:
            if self._revision != seen:
                return self._revision
            self._news.clear()
            await self._news.wait()
        return None

    async def aclose(self) -> None:
        """Close the journal and let go whoever waits for changes; twice is harmless."""
        self._closed = True
        self._news.set()
        if self._journal is not None:
            self._journal.close()

    def _add(self, entry: Entry) -> None:
        self._last = entry.number
        self._mails[entry.number] = entry
        self._bytes += len(entry.source)
        if len(self._mails) > self._keep or self._bytes > self._keep_bytes:
            self._shrink()

    def _shrink(self) -> None:
        oldest = 0
        while len(self._mails) > 1 and (len(self._mails) > self._keep or self._bytes > self._keep_bytes):
            oldest, gone = self._mails.popitem(last=False)
            self._summaries.pop(oldest, None)
            self._bytes -= len(gone.source)
        if self._journal is not None:
            self._journal.forget_before(oldest + 1)

    def _newest_before(self, end: int) -> Iterator[Entry]:
        """Yield mails below the number ``end``, newest first, over those that are kept now."""
        for number in [n for n in reversed(self._mails) if n < end]:
            entry = self._mails.get(number)
            if entry is not None:  # it may have gone while a long search let others run
                yield entry

    def _summary(self, entry: Entry) -> Summary:
        summary = self._summaries.get(entry.number)
        if summary is None:
            summary = reading.summary(entry, _id(entry.number))
            if entry.number in self._mails:
                self._summaries[entry.number] = summary
        return summary


def _id(number: int) -> str:
    return ids.written(_PREFIX, number.to_bytes(_ID_BYTES, "big"))


def _number(id: str) -> int:
    return int.from_bytes(ids.read(_PREFIX, id, _ID_BYTES), "big")
