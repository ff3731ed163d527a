"""Bytes as they come from a network, in slabs of whole lines.

Chunks of any size go in; slabs of about 64 KiB come out, each ending with a line end, so that readers work at the
speed of C over many rows and neither a chunk of a byte nor one of a gigabyte costs memory. A line that is longer
than :data:`ROW_BYTES` is cut off after one byte too many, and the rest of it is dropped as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pagerd.audience.limits import ROW_BYTES, SLAB_BYTES
from pagerd.core.errors import Fault

BOM: Final = b"\xef\xbb\xbf"
_LF: Final = 0x0A
_CR: Final = 0x0D


class Slabs:
    """Cuts a stream of chunks at line ends: LF, and with ``bare_cr`` also a CR that no LF follows."""

    def __init__(self, *, bare_cr: bool, size: int = SLAB_BYTES) -> None:
        """Give out slabs of about ``size`` bytes."""
        self.offset = 0
        """Where in the stream the slab that was given out last began, in bytes."""
        self._bare_cr = bare_cr
        self._size = size
        self._held = b""
        self._fresh: list[bytes] = []
        self._fresh_bytes = 0
        self._next = 0
        self._stub: bytes | None = None
        self._dropped = 0

    def push(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the slabs that are full with this chunk; take them all before the next chunk."""
        self._fresh.append(chunk)
        self._fresh_bytes += len(chunk)
        if self._fresh_bytes >= self._size:
            yield from self._cut()

    def finish(self) -> Iterator[bytes]:
        """Yield what is left; its last line need not end."""
        yield from self._cut()
        if self._stub is not None:
            yield self._give_stub(b"", len(self._held))
        elif self._held:
            yield self._give(self._held)
        self._held = b""

    def _cut(self) -> Iterator[bytes]:
        data = b"".join((self._held, *self._fresh))
        self._fresh.clear()
        self._fresh_bytes = 0
        start = 0
        if self._stub is not None:
            start = self._first_end(data, 0)
            if start == 0:
                self._hold(data)
                return
            yield self._give_stub(b"\n", start)
        while len(data) - start >= self._size:
            end = self._last_end(data, start, start + self._size) or self._first_end(data, start + self._size)
            if end == 0:
                break
            yield self._give(data[start:end])
            start = end
        self._hold(data[start:])

    def _give(self, slab: bytes, taken: int | None = None) -> bytes:
        """Return a slab, less the byte order mark of a file; it stands for ``taken`` bytes of the stream."""
        self.offset = self._next
        self._next += len(slab) if taken is None else taken
        if self.offset == 0 and slab.startswith(BOM):
            self.offset = len(BOM)
            return slab[len(BOM) :]
        return slab

    def _give_stub(self, end: bytes, taken: int) -> bytes:
        """Return what was kept of a line that is too long, now that ``taken`` more bytes have brought its end."""
        slab = (self._stub or b"") + end
        taken += len(slab) - len(end) + self._dropped
        self._stub, self._dropped = None, 0
        return self._give(slab, taken)

    def _hold(self, rest: bytes) -> None:
        """Keep the beginning of a line for later; of one that is too long, keep a stub and drop the rest."""
        if self._stub is None and len(rest) > ROW_BYTES + 1:
            self._stub, rest = rest[: ROW_BYTES + 1], rest[ROW_BYTES + 1 :]
        if self._stub is not None:
            kept = rest[-1:] if self._bare_cr and rest.endswith(b"\r") else b""
            self._dropped += len(rest) - len(kept)
            rest = kept
        self._held = rest

    def _last_end(self, data: bytes, start: int, stop: int) -> int:
        """Return the place after the last line end that begins in a window, or 0."""
        at = data.rfind(b"\n", start, stop)
        if self._bare_cr:
            at = max(at, data.rfind(b"\r", start, min(stop, len(data) - 1)))
        return _after(data, at)

    def _first_end(self, data: bytes, start: int) -> int:
        """Return the place after the first line end from ``start``, or 0; a CR as last byte may be half of one."""
        at = data.find(b"\n", start)
        if self._bare_cr:
            cr = data.find(b"\r", start, len(data) - 1)
            at = cr if at < 0 or 0 <= cr < at else at
        return _after(data, at)


def _after(data: bytes, at: int) -> int:
    """Return the place after the line end that begins at ``at``; CR and LF are one."""
    if at < 0:
        return 0
    return at + 2 if data[at] == _CR and data[at + 1] == _LF else at + 1


def encoding_fault(slab: bytes, wrong: UnicodeDecodeError, offset: int, line: int, start: int = 0) -> Fault:
    """Return the fault of a slab that is not UTF-8.

    The slab stands at ``offset`` in its file; the wrong byte is in line ``line``, which begins at ``start``.
    """
    hint = ": this looks like UTF-16" if offset == 0 and slab[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    byte = f"byte {offset + wrong.start} (from 0) is 0x{slab[wrong.start]:02x}{hint}"
    return Fault(
        code="encoding",
        detail=f"the file is not UTF-8: {byte}; save it as UTF-8",
        line=line,
        column=len(slab[start : wrong.start].decode()) + 1,
    )
