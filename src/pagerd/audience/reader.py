"""What all readers of files have in common: chunks of bytes in, lists of checked recipients out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from pagerd.audience.problems import Faults
from pagerd.audience.rows import Checked, Rows
from pagerd.audience.slabs import Slabs


class Reader(ABC):
    """Reads an audience from chunks of bytes as they come; what it holds at a time does not grow with the file.

    Every row that is not simply right is noted in ``faults``. Under ``on_invalid=skip`` it is also a recipient with
    a flaw, so that nothing is lost; under ``fail`` it is left out, and the caller refuses everything in the end
    (``faults.refuse()``). What makes the rest of a file unreadable raises :class:`Invalid` from :meth:`feed` or
    :meth:`end`, under both; after that the reader is of no more use.
    """

    def __init__(self, rows: Rows, slabs: Slabs) -> None:
        self._rows = rows
        self._slabs = slabs

    @property
    def faults(self) -> Faults:
        """What was wrong so far: the first 100, and the count."""
        return self._rows.faults

    @property
    def rows(self) -> int:
        """How many people there were so far, those with something wrong included."""
        return self._rows.count

    @property
    def ignored_columns(self) -> Sequence[str]:
        """The columns of a CSV file that the template has no variable for."""
        return ()

    def feed(self, chunk: bytes) -> Iterator[list[Checked]]:
        """Yield the people that became complete with this chunk, some hundreds at a time: take all before the next."""
        for slab in self._slabs.push(chunk):
            yield self._read(slab)

    def end(self) -> Iterator[list[Checked]]:
        """Yield the last people: the file is over."""
        for slab in self._slabs.finish():
            yield self._read(slab)
        self._close()

    @abstractmethod
    def _read(self, slab: bytes) -> list[Checked]:
        """Return the people in some whole lines."""

    def _close(self) -> None:  # noqa: B027 (nothing to do is the usual case)
        """Raise :class:`Invalid` if the file can't be over here."""
