"""An audience's file as the server wants it: parts of whole records, and some of its people as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pagerd.cli.ctl.cells import from_text
from pagerd.cli.ctl.files import CSV, Source
from pagerd.cli.ctl.records import CsvRecords, NdjsonRecords, Record, as_csv, header_of, lines_in
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.core.variables import Variable

ROWS: Final = 10_000
BYTES: Final = 4 * 1024 * 1024
ADDRESSES: Final = ("to", "email", "phone")
PERSONAL: Final = ("id", "locale", "timezone")
RESERVED: Final = frozenset({*ADDRESSES, *PERSONAL})


class Portion(NamedTuple):
    """A part of the file, ready to be uploaded: its people, and which line of the file its lines are."""

    body: bytes
    people: int
    head_lines: int
    first_line: int

    def line_in_file(self, line: int) -> int:
        """Return the line of the file that a line of this part is."""
        return line if line <= self.head_lines else self.first_line + line - self.head_lines - 1


class Person(NamedTuple):
    """One person as JSON wants them, and the line where they stand."""

    line: int
    recipient: Any


class NdjsonAudience:
    """People as JSON, one a line."""

    content_type: Final = "application/x-ndjson"
    has_columns: Final = False
    delimiter: Final = None

    def __init__(self, source: Source, mapping: Mapping[str, str]) -> None:
        self.source = source
        self._mapping = mapping

    def portions(self) -> Iterator[Portion]:
        """Give the file in parts."""
        records: Iterator[Record] = iter(NdjsonRecords(self.source))
        if self._mapping:
            records = (record._replace(text=self._renamed(record)) for record in records)
        return portioned(records, "")

    def people(self) -> Iterator[Person]:
        """Give the people of the file; a line that is no JSON as the text that it is, for the server to judge."""
        import msgspec

        for record in NdjsonRecords(self.source):
            if record.person:
                text = self._renamed(record)
                try:
                    yield Person(record.line, msgspec.json.decode(text))
                except msgspec.DecodeError:
                    yield Person(record.line, text.strip())

    def _renamed(self, record: Record) -> str:
        """Return a record with its fields renamed; one that is no JSON object stays for the server to judge."""
        import msgspec

        try:
            row = msgspec.json.decode(record.text, type=dict[str, Any]) if self._mapping and record.person else None
        except msgspec.DecodeError:
            row = None
        if row is None:
            return record.text
        data: dict[str, Any] = row["data"] if isinstance(row.get("data"), dict) else {}
        for target, name in self._mapping.items():
            value = data.pop(name) if name in data else row.pop(name, None)
            if value is not None:
                (row if target in RESERVED else data)[target] = value
        return msgspec.json.encode(row | ({"data": data} if data else {})).decode() + "\n"


class CsvAudience:
    """People as CSV, under a header."""

    content_type: Final = "text/csv"
    has_columns: Final = True

    def __init__(
        self, source: Source, variables: list[Variable], mapping: Mapping[str, str], delimiter: str | None
    ) -> None:
        self.source = source
        self._types = {variable.name.lower(): variable for variable in variables}
        names = RESERVED | self._types.keys() | {name.lower() for name in mapping.values()}
        self.delimiter, header, before = header_of(source, frozenset(names), delimiter)
        self._header_line = header.line
        self._columns = [cell.strip() for cell in header.cells or []]
        end = "\r\n" if header.text.endswith("\r\n") else "\n"
        self._head = before + (header.text if header.text.endswith(("\n", "\r")) else header.text + end)
        if mapping:
            self._map(mapping)
            self._head = before + as_csv(self._columns, self.delimiter, end)

    def portions(self) -> Iterator[Portion]:
        """Give the file in parts, each under the header."""
        return portioned(self._records(), self._head)

    def people(self) -> Iterator[Person]:
        """Give the people of the file, with cells as their variables' types want them where they fit."""
        for record in self._records():
            if record.person:
                yield Person(record.line, self._recipient(record.cells or []))

    def _records(self) -> Iterator[Record]:
        """Give the records after the header."""
        return (record for record in CsvRecords(self.source, self.delimiter) if record.line > self._header_line)

    def _map(self, mapping: Mapping[str, str]) -> None:
        """Rename the columns that ``--map`` names."""
        places = {column.lower(): place for place, column in enumerate(self._columns)}
        for target, name in mapping.items():
            place = places.get(name.strip().lower())
            if place is None:
                there = ", ".join(repr(column) for column in self._columns)
                raise Refusal(f"{self.source.name} has no column {name!r}", do=f"there are {there}", code=MISUSED)
            self._columns[place] = target

    def _recipient(self, cells: list[str]) -> dict[str, Any]:
        """Return a row as a recipient; an empty cell is absent."""
        person: dict[str, Any] = {}
        to: dict[str, str] = {}
        data: dict[str, Any] = {}
        for column, cell in zip(self._columns, cells, strict=False):
            name = column.lower()
            if not cell.strip():
                continue
            if name in ADDRESSES:
                to[name] = cell
            elif name in PERSONAL:
                person[name] = cell
            else:
                self._take(data, column, cell)
        return {"to": to.get("to", to)} | person | ({"data": data} if data else {})

    def _take(self, data: dict[str, Any], column: str, cell: str) -> None:
        """Note one cell of data, under the variable's own spelling; a list variable may have several."""
        variable = self._types.get(column.lower())
        if variable is None:
            data[column] = cell
        elif variable.type == "list" and not cell.lstrip().startswith("["):
            data.setdefault(variable.name, []).append(cell)
        else:
            data[variable.name] = from_text(variable.type, cell)


Audience = CsvAudience | NdjsonAudience


def audience_of(
    source: Source, variables: list[Variable], mapping: Mapping[str, str], delimiter: str | None
) -> Audience:
    """Return the people of a file."""
    if source.kind == CSV:
        return CsvAudience(source, variables, mapping, delimiter)
    return NdjsonAudience(source, mapping)


def portioned(records: Iterator[Record], head: str) -> Iterator[Portion]:
    """Cut records into parts of at most 10,000 people or, give or take a record, 4 MiB; each begins with ``head``."""
    head_bytes, head_lines = head.encode(), lines_in(head) if head else 0
    pieces = [head_bytes]
    size = people = first_line = 0
    for record in records:
        first_line = first_line or record.line
        piece = record.text.encode()
        pieces.append(piece)
        size += len(piece)
        people += record.person
        if people >= ROWS or size >= BYTES:
            yield Portion(b"".join(pieces), people, head_lines, first_line)
            pieces = [head_bytes]
            size = people = first_line = 0
    if people:
        yield Portion(b"".join(pieces), people, head_lines, first_line)
