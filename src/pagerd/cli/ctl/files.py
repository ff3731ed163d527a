"""Opens an audience's file: a path or standard input, told apart by its name or its first bytes."""

from __future__ import annotations

import codecs
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pagerd.cli.ctl.shell import MISUSED, Refusal

CSV: Final = "csv"
NDJSON: Final = "ndjson"
LONGEST: Final = 1024 * 1024
"""The longest line, in bytes or characters: nothing is ever held whole, not even where nobody ended a line."""

_ENDINGS: Final = {".csv": CSV, ".tsv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON}
_STRANGE: Final = (
    (b"\x1f\x8b", "is packed with gzip", "unpack it on the way: zcat {name} | pagerctl send … -"),
    (b"PK\x03\x04", "is a spreadsheet or a zip archive", "save it as CSV in UTF-8"),
    (codecs.BOM_UTF16_LE, "is UTF-16", "save it in UTF-8: iconv -f UTF-16 -t UTF-8 {name}"),
    (codecs.BOM_UTF16_BE, "is UTF-16", "save it in UTF-8: iconv -f UTF-16 -t UTF-8 {name}"),
)


class Source:
    """An audience's file, open and able to be read twice. ``kind`` is ``csv`` or ``ndjson``."""

    def __init__(self, handle: BinaryIO, name: str) -> None:
        self.handle = handle
        self.name = name
        self.kind = self._kind()

    def rewind(self) -> BinaryIO:
        """Return the file, at its beginning (after a byte order mark)."""
        self.handle.seek(0)
        if self.handle.read(3) != codecs.BOM_UTF8:
            self.handle.seek(0)
        return self.handle

    def _kind(self) -> str:
        start = self.rewind().read(4096)
        for magic, what, do in _STRANGE:
            if start.startswith(magic):
                raise Refusal(f"{self.name} {what}", do=do.format(name=self.name), code=MISUSED)
        if not start.strip():
            raise Refusal(f"{self.name} is empty: nobody would be told", code=MISUSED)
        if start.lstrip()[:1] == b"[":
            hint = f"write one person a line: jq -c '.[]' {self.name} | pagerctl send … -"
            raise Refusal(f"{self.name} is one JSON array", do=hint, code=MISUSED)
        known = _ENDINGS.get(Path(self.name).suffix.lower())
        return known or (NDJSON if start.lstrip()[:1] == b"{" else CSV)

    def not_utf8(self) -> Refusal:
        """Return the error of a file that is not UTF-8, with the byte where that shows."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        self.handle.seek(0)
        offset, line = 0, 1
        while True:
            chunk = self.handle.read(65_536)
            before = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as problem:
                line += chunk.count(b"\n", 0, max(0, problem.start - before))
                at = offset + problem.start - before
                words = f"{self.name}:{line}: is not UTF-8: byte 0x{problem.object[problem.start]:02x} at offset {at:,}"
                return Refusal(words, do=f"save it in UTF-8: iconv -f WINDOWS-1252 -t UTF-8 {self.name}")
            if not chunk:
                return Refusal(f"{self.name} changed while it was read")
            offset += len(chunk)
            line += chunk.count(b"\n")


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Open a file, or ``-`` for standard input; what can't be read twice is put on the disk first."""
    if name == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            yield Source(spool, "standard input")
        return
    with Path(name).open("rb") as handle:
        if handle.seekable():
            yield Source(handle, name)
            return
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(handle, spool)
            yield Source(spool, name)
