"""CSV (RFC 4180, as spreadsheets write it): a header, then one person a record.

Lines end with CRLF, LF or CR; a byte order mark is ignored; quoted cells may hold line ends; ``,`` ``;`` or tab
separate cells, told by the header unless the caller says which. The ``csv`` module parses; here are the lines it is
fed, the place of whatever is wrong, and the limits. Rows whose cells are all empty are skipped.

A quote that stands wrongly is that row's problem alone, and reading goes on with the next line. A quote that is
never closed, a record beyond the limit and bytes that are no UTF-8 end the reading: what follows can't be told.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import Final, Never, Protocol

from pagerd.audience.cellplaces import place_of
from pagerd.audience.columns import Columns, recognised
from pagerd.audience.limits import CELL_CHARS, COLUMNS, ROW_BYTES, SLAB_BYTES
from pagerd.audience.problems import Problem
from pagerd.audience.reader import Reader
from pagerd.audience.rows import Checked, Row, Rows
from pagerd.audience.slabs import Slabs, encoding_fault
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel, OnInvalid

DELIMITERS: Final = (",", ";", "\t")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class _Starved(Exception):
    """The parser wants a line that has not come yet."""


class _Parser(Protocol):
    """What ``csv.reader`` makes."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


def _starve() -> Iterator[Never]:
    raise _Starved
    yield


class CsvReader(Reader):
    """Reads an audience from chunks of CSV."""

    def __init__(
        self,
        coercer: Coercer,
        channel: Channel,
        on_invalid: OnInvalid,
        *,
        region: str | None = None,
        delimiter: str | None = None,
        slab: int = SLAB_BYTES,
    ) -> None:
        """Check people's data by ``coercer``, and work through slabs of about ``slab`` bytes."""
        super().__init__(Rows(coercer, channel, on_invalid, region), Slabs(bare_cr=True, size=slab))
        self._delimiters = (delimiter,) if delimiter else DELIMITERS
        self._delimiter = self._delimiters[0]
        self._columns: Columns | None = None
        self._carry: list[str] = []
        self._line = 0
        csv.field_size_limit(max(csv.field_size_limit(), 2 * ROW_BYTES))

    @property
    def ignored_columns(self) -> Sequence[str]:
        """The columns that the template has no variable for."""
        return tuple(self._columns.ignored) if self._columns else ()

    def _read(self, slab: bytes) -> list[Checked]:
        if len(slab) > ROW_BYTES:
            raise self._too_long()
        try:
            text = slab.decode()
        except UnicodeDecodeError as wrong:
            ends = [end.end() for end in _LINE_END.finditer(slab, 0, wrong.start)]
            line = self._line + len(self._carry) + len(ends) + 1
            start = ends[-1] if ends else 0
            raise self.faults.fatal(encoding_fault(slab, wrong, self._slabs.offset, line, start)) from None
        self._carry.extend(StringIO(text, newline=""))
        if self._columns is None:
            self._read_header()
        found = self._records(self._columns) if self._columns else []
        if sum(map(len, self._carry)) > ROW_BYTES:
            raise self._too_long()
        return found

    def _close(self) -> None:
        if self._columns is None:
            self._read_header(last=True)
        if self._carry:
            raise self.faults.fatal(self._unclosed())
        if self._columns is None:
            raise self.faults.fatal(Fault(code="header_missing", detail="the file has no header row", line=1))

    def _read_header(self, *, last: bool = False) -> None:
        """Assign the columns once the header is complete, by the delimiter that makes most sense of it."""
        while self._carry and not self._carry[0].strip():
            self._drop(1)
        readings = [self._first_record(delimiter) for delimiter in self._delimiters]
        if not self._carry or (None in readings and not last):
            return
        coercer = self._rows.coercer
        complete = [(recognised(reading[0], coercer), reading) for reading in readings if reading is not None]
        known, (header, lines, delimiter) = max(complete, key=lambda r: (r[0], len(r[1][0])), default=(0, ([], 0, "")))
        if None in readings and not known:
            return
        self._delimiter = delimiter
        columns = Columns(header, coercer, self._rows.channel)
        if columns.problems:
            raise self._refused(columns, "".join(self._carry[:lines]))
        self._drop(lines)
        self._columns = columns

    def _first_record(self, delimiter: str) -> tuple[list[str], int, str] | None:
        """Return the cells of the first record, its number of lines, and the delimiter; ``None``: incomplete."""
        source = csv.reader(chain(self._carry, _starve()), delimiter=delimiter, strict=True)
        try:
            return next(source), source.line_num, delimiter
        except _Starved:
            return None
        except csv.Error:
            return [], 1, delimiter

    def _records(self, columns: Columns) -> list[Checked]:
        """Return the people of all complete records, and keep the lines of the last one if it is not."""
        lines, found = self._carry, []
        wary = sum(map(len, lines)) > CELL_CHARS or "\0" in "".join(lines)
        start = read = 0
        source = self._parser(start)
        while True:
            try:
                for row in source:
                    before, read = read, start + source.line_num
                    checked = None if wary else self._admit(columns, row, self._line + before + 1)
                    if checked is None:
                        checked = self._look_closely(columns, row, self._line + before + 1, lines[before:read])
                    if checked is not None:
                        found.append(checked)
            except _Starved:
                break
            except csv.Error:
                read += 1
                found += self._misquoted(lines[read - 1], self._line + read)
                if start + source.line_num > read:
                    start, source = read, self._parser(read)
        self._drop(read)
        return found

    def _parser(self, start: int) -> _Parser:
        """Return a parser of the lines from ``start`` on, which raises :class:`_Starved` at the end."""
        lines = self._carry
        wanted = iter(lines) if start == 0 else (lines[place] for place in range(start, len(lines)))
        return csv.reader(chain(wanted, _starve()), delimiter=self._delimiter, strict=True)

    def _admit(self, columns: Columns, row: list[str], line: int) -> Checked | None:
        """Return the person of a row in which nothing is wrong, or ``None``."""
        if len(row) != columns.width:
            return None
        data, problems = columns.data.read(row)
        if problems:
            return None
        if columns.bare:
            return self._rows.admit(line, row[columns.to], data)
        return self._rows.admit(line, row[columns.to], data, *columns.person(row))

    def _look_closely(self, columns: Columns, row: list[str], line: int, lines: list[str]) -> Checked | None:
        """Find out what is wrong with a record; one that is empty is nobody."""
        if not any(cell.strip() for cell in row):
            return None
        record = "".join(lines)
        if len(record) > ROW_BYTES:
            raise self._too_long(line)
        broken = _broken(row, columns.width)
        if broken is not None:
            problem, cell = broken
            return self._rows.judge(
                Row(line=line, raw=record.rstrip("\r\n"), problems=[problem]),
                lambda problem: self._fault(problem, line, record, cell),
            )
        found = _read_row(row, columns, line)
        return self._rows.judge(found, lambda problem: self._fault(problem, line, record, columns.cell_of(problem)))

    def _misquoted(self, text: str, line: int) -> list[Checked]:
        """Note a record that starts with a line in which, or after which, a quote stands wrongly."""
        detail = 'a quoted cell ends at its second quote: inside it, write a quote twice, as in "a ""b"" c"'
        row = Row(line=line, raw=text.rstrip("\r\n"), problems=[Problem("quote_misplaced", detail)])
        last = place_of(text, COLUMNS, self._delimiter)[1]
        checked = self._rows.judge(row, lambda p: Fault(code=p.code, detail=p.detail, line=line, column=last))
        return [] if checked is None else [checked]

    def _fault(self, problem: Problem, line: int, record: str, cell: int) -> Fault:
        down, column = place_of(record, cell, self._delimiter)
        return Fault(code=problem.code, detail=problem.detail, line=line + down, column=column)

    def _refused(self, columns: Columns, record: str) -> Invalid:
        """Return the error of a header that makes no sense."""
        faults = []
        for problem in columns.problems:
            down, column = (0, None) if problem.cell is None else place_of(record, problem.cell, self._delimiter)
            line = self._line + 1 + down
            faults.append(Fault(code=problem.code, detail=problem.detail, line=line, column=column))
        return Invalid(faults=faults, code=faults[0].code)

    def _unclosed(self) -> Fault:
        down, column = place_of("".join(self._carry), COLUMNS, self._delimiter)
        detail = "the quote that opens this cell is never closed"
        return Fault(code="quote_unclosed", detail=detail, line=self._line + 1 + down, column=column)

    def _too_long(self, line: int = 0) -> Invalid:
        hint = ": is a quote in it never closed?" if len(self._carry) > 1 else ""
        detail = f"the record is longer than {ROW_BYTES} characters{hint}"
        return self.faults.fatal(Fault(code="row_too_long", detail=detail, line=line or self._line + 1))

    def _drop(self, lines: int) -> None:
        """Forget lines that are done with."""
        self._line += lines
        del self._carry[:lines]


def _broken(row: list[str], width: int) -> tuple[Problem, int] | None:
    """Return what makes a record unreadable as a row, and at which cell."""
    if len(row) != width:
        detail = f"the row has {len(row)} cells, the header {width}"
        return Problem("row_ragged", detail), min(len(row) - 1, width)
    for place, cell in enumerate(row):
        if "\0" in cell:
            return Problem("control_character", "the cell holds a NUL character"), place
        if len(cell) > CELL_CHARS:
            return Problem("cell_too_long", f"the cell is longer than {CELL_CHARS} characters"), place
    return None


def _read_row(row: list[str], columns: Columns, line: int) -> Row:
    """Return a whole row with everything that is wrong with its cells."""
    data, problems = columns.data.read(row)
    to: str | None = row[columns.to]
    if not row[columns.to].strip():
        problems = [Problem("address_missing", "the row has no address", ("to",)), *problems]
        to = None
    own_id, locale, timezone = columns.person(row)
    raw = ",".join(row)
    return Row(line=line, raw=raw, to=to, data=data, id=own_id, locale=locale, timezone=timezone, problems=problems)
