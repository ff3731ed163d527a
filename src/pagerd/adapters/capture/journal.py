"""The mailbox's journal: captured mails on disk, so that they are there again after a restart.

A directory (mode 0700) of segments ``captured-NUMBER.journal`` (mode 0600), each named by the first mail's number.
A record is ``magic, length: u32, CRC-32: u32`` (little endian) and so many bytes of MessagePack. Records are only
appended; a segment goes when the mailbox keeps none of its mails. What follows a torn or damaged record is not
read, and a new segment is begun. Written with one system call each and not synced: a mail that was answered 250
survives the end of this process, not that of the machine, which is enough for development.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pagerd.core.policy import Channel

_HEAD: Final = struct.Struct("<4sII")
_MAGIC: Final = b"PgC1"
_NAME: Final = re.compile(r"captured-(\d+)\.journal")


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A captured mail as it is kept: its number, arrival in UTC seconds, envelope, and bytes; or an SMS."""

    number: int
    received_at: float
    sender: bytes
    recipients: tuple[bytes, ...]
    source: bytes
    channel: Channel = Channel.EMAIL


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(Entry).decode


class _Segment:
    """One file: what it is called, and the numbers of the mails in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0
        self.mails = 0
        self.size = 0


class Journal:
    """Appends mails to the newest segment in ``directory``, which is made if it is not there."""

    def __init__(self, directory: Path, *, segment_mails: int, segment_bytes: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        self._directory = directory
        self._mails = segment_mails
        self._bytes = segment_bytes
        self._segments: list[_Segment] = []
        self._fd = -1

    def load(self) -> Iterator[Entry]:
        """Yield every mail that can be read, oldest first; then :meth:`append` may be called."""
        found = [(int(m[1]), path) for path in self._directory.iterdir() if (m := _NAME.fullmatch(path.name))]
        sound = False
        for number, path in sorted(found):
            segment = _Segment(path)
            segment.last = number - 1
            self._segments.append(segment)
            raw = path.read_bytes()
            for entry in _entries(raw, segment):
                segment.last = entry.number
                yield entry
            sound = segment.size == len(raw)
        if sound:
            self._open(self._segments[-1].path)

    @property
    def last(self) -> int:
        """The highest number in use; 0: none."""
        return max((segment.last for segment in self._segments), default=0)

    def append(self, entry: Entry) -> None:
        """Write one mail; raise :class:`OSError`, and leave nothing of it, where that fails."""
        record = _ENCODE(entry)
        if self._fd < 0 or self._is_full(self._segments[-1]):
            self._begin(entry.number)
        segment = self._segments[-1]
        size = _HEAD.size + len(record)
        head = _HEAD.pack(_MAGIC, len(record), zlib.crc32(record))
        written = os.writev(self._fd, (head, record))
        if written != size:
            os.ftruncate(self._fd, segment.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        segment.size += size
        segment.mails += 1
        segment.last = entry.number

    def forget_before(self, number: int) -> None:
        """Delete segments all of whose mails are older than ``number``; the newest stays, to go on."""
        while len(self._segments) > 1 and self._segments[0].last < number:
            self._segments.pop(0).path.unlink(missing_ok=True)

    def clear(self, following: int) -> None:
        """Delete every mail and begin a segment for the mail ``following``, whose name keeps that number."""
        old = self._segments
        self._begin(following)
        self._segments = [current] = self._segments[-1:]
        for segment in old:
            if segment.path != current.path:
                segment.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_full(self, segment: _Segment) -> bool:
        return segment.mails >= self._mails or segment.size >= self._bytes

    def _begin(self, number: int) -> None:
        path = self._directory / f"captured-{number:012}.journal"
        self._open(path)
        os.ftruncate(self._fd, 0)
        segment = _Segment(path)
        segment.last = number - 1
        self._segments = [s for s in self._segments if s.path != path]
        self._segments.append(segment)

    def _open(self, path: Path) -> None:
        self.close()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _entries(raw: bytes, segment: _Segment) -> Iterator[Entry]:
    """Yield the records of a file up to its end or the first one that is torn or damaged."""
    view = memoryview(raw)
    at = 0
    while at + _HEAD.size <= len(raw):
        magic, length, check = _HEAD.unpack_from(raw, at)
        start, end = at + _HEAD.size, at + _HEAD.size + length
        if magic != _MAGIC or end > len(raw) or zlib.crc32(view[start:end]) != check:
            return
        try:
            entry = _DECODE(view[start:end])
        except msgspec.DecodeError:
            return
        at = end
        segment.size, segment.mails = at, segment.mails + 1
        yield entry
