"""What a power loss leaves: a recording of every write, and the disk as it may look at any moment of it.

``powerless.c`` is loaded into the server (``LD_PRELOAD``) and writes down each change to the files of the data
directory and each fsync. :func:`image` builds the directory that a power loss at a length of that log leaves: what an
fsync had covered is there; of the rest, none, all, or a random choice, cut at sectors. Names (created, renamed,
removed) keep their order, as they do in a journalling file system, and are certain after an fsync of the directory
or, for a new file, of the file.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

_HEAD = struct.Struct("<cQQQI")
_SECTOR = 512
SOURCE = Path(__file__).with_name("powerless.c")
Luck = Literal["none", "some", "all"]


class Record(NamedTuple):
    """One record; ``end`` is the length of the log up to and with it."""

    end: int
    kind: str
    inode: int
    a: int
    data: bytes


class Disk:
    """A directory as the programs see it, and as the disk knows it."""

    def __init__(self, files: dict[str, bytes], root: str) -> None:
        self._root = root
        self.names = {name: File(data) for name, data in files.items()}
        self.durable = dict(self.names)
        self._pending: list[tuple[int, str, str, File | None]] = []
        self._inodes: dict[int, File] = {}

    def play(self, record: Record) -> None:
        """Let one record happen."""
        kind, file = record.kind, self._inodes.get(record.inode)
        if kind == "O":
            self._open(record)
        elif kind == "U":
            self._rename(record.end, self._name(record.data), "")
        elif kind == "R":
            old, _, new = record.data.partition(b"\0")
            self._rename(record.end, self._name(old), self._name(new))
        elif kind == "D":
            self._settle_names(record.a)
        elif file is None:
            raise AssertionError(f"{record} is of a file that nobody opened")
        elif kind == "S":
            file.sync(record.a)
            created = [end for end, _, _, made in self._pending if made is file]
            self._settle_names(max((end for end in created if end <= record.a), default=0))
        else:
            file.pending.append(record)

    def after_loss(self, chance: random.Random, luck: Luck) -> dict[str, bytes]:
        """Return the files that are there when the power is back."""
        some = {"none": 0, "some": chance.randint(0, len(self._pending)), "all": len(self._pending)}[luck]
        names = _applied(dict(self.durable), self._pending[:some])
        return {name: file.after_loss(chance, luck) for name, file in names.items()}

    def _open(self, record: Record) -> None:
        name = self._name(record.data)
        known = self.names.get(name)
        if known is None or (known.inode not in (None, record.inode)):
            known = File(b"")
            self.names[name] = known
            self._pending.append((record.end, "", name, known))
        known.inode = record.inode
        self._inodes[record.inode] = known

    def _rename(self, end: int, old: str, new: str) -> None:
        file = self.names.pop(old, None)
        if new and file is not None:
            self.names[new] = file
        self._pending.append((end, old, new, file))

    def _settle_names(self, upto: int) -> None:
        certain = [entry for entry in self._pending if entry[0] <= upto]
        self._pending = [entry for entry in self._pending if entry[0] > upto]
        self.durable = _applied(self.durable, certain)

    def _name(self, path: bytes) -> str:
        return path.decode().removeprefix(self._root).lstrip("/")


class File:
    """A file: what the disk surely has, and what it may have."""

    def __init__(self, data: bytes) -> None:
        self.inode: int | None = None
        self._durable = bytearray(data)
        self.pending: list[Record] = []

    def sync(self, began: int) -> None:
        """Take what was written before ``began`` as certain."""
        for record in self.pending:
            if record.end <= began:
                _write(self._durable, record, record.data)
        self.pending = [record for record in self.pending if record.end > began]

    def after_loss(self, chance: random.Random, luck: Luck) -> bytes:
        """Return its content when the power is back."""
        data = bytearray(self._durable)
        for record in self.pending:
            if luck == "all" or (luck == "some" and chance.random() < 0.5):
                whole = luck == "all" or chance.random() < 0.7 or not record.data
                cut = len(record.data) if whole else chance.randrange(0, len(record.data), _SECTOR)
                _write(data, record, record.data[:cut])
        return bytes(data)


def _applied(names: dict[str, File], entries: list[tuple[int, str, str, File | None]]) -> dict[str, File]:
    names = dict(names)
    for _, old, new, file in entries:
        names.pop(old, None)
        if new and file is not None:
            names[new] = file
    return names


def _write(into: bytearray, record: Record, data: bytes) -> None:
    if record.kind == "T":
        if record.a < len(into):
            del into[record.a :]
        into.extend(bytes(record.a - len(into)))
    elif data:
        into.extend(bytes(max(0, record.a - len(into))))
        into[record.a : record.a + len(data)] = data


def records(log: Path) -> Iterator[Record]:
    """Iterate over a log."""
    data, at = log.read_bytes(), 0
    while at + _HEAD.size <= len(data):
        kind, inode, a, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        yield Record(at, kind.decode(), inode, a, data[at - length : at])


def image(base: Path, log: Path, root: Path, at: int, into: Path, *, luck: Luck, seed: int) -> Path:
    """Make ``into`` what a power loss at length ``at`` of the log leaves of ``root``, which began as ``base``."""
    disk = Disk({file.name: file.read_bytes() for file in base.iterdir() if file.is_file()}, str(root))
    for record in records(log):
        if record.end > at:
            break
        disk.play(record)
    into.mkdir()
    for name, data in disk.after_loss(random.Random(seed), luck).items():
        (into / name).write_bytes(data)
        (into / name).chmod(0o600)
    return into


def compiler() -> str | None:
    """Return the C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def library(folder: Path) -> Path:
    """Return the recorder, compiled."""
    made = folder / "powerless.so"
    words = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(words, check=True, capture_output=True, text=True)
    return made
