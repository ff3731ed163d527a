"""The people of a file, record by record, as the bytes that stand there: whole records, whatever their cells hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

from pagerd.cli.ctl.files import LONGEST, Source
from pagerd.cli.ctl.shell import Refusal


class Record(NamedTuple):
    """One record of a file: the line where it begins, its text with its line end, and whether it is a person at all.

    ``cells`` are those of CSV, ``None`` where they can't be told (the server says why).
    """

    line: int
    text: str
    person: bool
    cells: list[str] | None = None


class Records(Protocol):
    """A file's people."""

    def __iter__(self) -> Iterator[Record]:
        """Give every record after the header, from the start of the file."""
        ...


class Lines:
    """The lines of a text, with the line ends that it has; a line without end is refused instead of held."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __iter__(self) -> Iterator[str]:
        text = io.TextIOWrapper(self.source.rewind(), encoding="utf-8", newline="")
        number = 0
        try:
            while line := text.readline(LONGEST):
                number += 1
                if len(line) >= LONGEST:
                    raise Refusal(f"{self.source.name}:{number}: the line is longer than 1 MiB")
                yield line
        except UnicodeDecodeError:
            raise self.source.not_utf8() from None
        finally:
            text.detach()


class NdjsonRecords:
    """People as JSON, one a line; blank lines are nobody."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Record]:
        for number, line in enumerate(Lines(self.source), 1):
            yield Record(number, line, bool(line.strip()))


class CsvRecords:
    """People as CSV records (RFC 4180), which may be longer than a line. A wrong quote spoils its own line only."""

    def __init__(self, source: Source, delimiter: str) -> None:
        self.source = source
        self.delimiter = delimiter

    def __iter__(self) -> Iterator[Record]:
        feed = _Feed(iter(Lines(self.source)))
        line = 1
        while True:
            reader = csv.reader(feed, delimiter=self.delimiter, strict=True)
            try:
                for cells in reader:
                    text = feed.taken()
                    yield Record(line, text, any(cell.strip() for cell in cells), cells)
                    line += lines_in(text)
            except csv.Error:
                self._refuse_unclosed(feed, line)
                yield Record(line, feed.put_back_all_but_first(), person=True)
                line += 1
            else:
                return

    def _refuse_unclosed(self, feed: _Feed, line: int) -> None:
        """Raise where a quote was opened and never closed: nothing after it can be told apart."""
        if feed.ended or feed.size > csv.field_size_limit():
            raise Refusal(
                f"{self.source.name}:{line}: a quote that opens a cell here is never closed (or not for 128 KiB)",
                do='inside a quoted cell, write a quote twice: "a ""b"" c"',
            )


class _Feed:
    """Lines on their way into the parser, and those that it has taken for the record under way."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.ended = False
        self._lines = lines
        self._back: list[str] = []
        self._taken: list[str] = []

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self._taken.append(line)
        return line

    @property
    def size(self) -> int:
        """How many characters the record under way has so far."""
        return sum(map(len, self._taken))

    def taken(self) -> str:
        """Return the text of the record that was just read, and forget it."""
        text = self._taken[0] if len(self._taken) == 1 else "".join(self._taken)
        self._taken.clear()
        return text

    def put_back_all_but_first(self) -> str:
        """Return the first line of a record that failed; the others are read again."""
        first, *others = self._taken
        self._back += reversed(others)
        self._taken.clear()
        return first


def lines_in(text: str) -> int:
    """Return how many lines a record takes: CRLF, LF and CR each end one."""
    if "\r" not in text:
        return text.count("\n") or 1
    return text.count("\n") + text.count("\r") - text.count("\r\n") or 1


DELIMITERS: Final = (",", ";", "\t")


def header_of(source: Source, names: frozenset[str], delimiter: str | None) -> tuple[str, Record, str]:
    """Return (delimiter, header, what stands before it) of a CSV file.

    The delimiter is the one under which most of the header's cells have a name that is known, then the one that makes
    most cells.
    """
    readings: list[tuple[tuple[int, int], str, Record, str]] = []
    for one in (delimiter,) if delimiter else DELIMITERS:
        before = ""
        for record in CsvRecords(source, one):
            if record.person:
                cells = record.cells or []
                known = sum(cell.strip().lower() in names for cell in cells)
                readings.append(((known, len(cells)), one, record, before))
                break
            before += record.text
    if not readings:
        raise Refusal(f"{source.name} has no header")
    _, chosen, header, before = max(readings, key=lambda reading: reading[0])
    return chosen, header, before


def as_csv(cells: list[Any], delimiter: str, end: str) -> str:
    """Return one record's text."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()
