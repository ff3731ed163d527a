"""Opens the reader that fits a file."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pagerd.audience.csvfile import DELIMITERS, CsvReader
from pagerd.audience.ndjson import NdjsonReader
from pagerd.audience.reader import Reader
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel, OnInvalid


class FileKind(StrEnum):
    """The kinds of audience file, by their media type (RFC 4180; NDJSON has none registered)."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"


_WORDS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t"}


def open_reader(
    kind: FileKind,
    coercer: Coercer,
    channel: Channel,
    on_invalid: OnInvalid,
    *,
    region: str | None = None,
    delimiter: str | None = None,
) -> Reader:
    """Return a reader for one file; ``region`` is where numbers without a country are dialled.

    ``delimiter`` is for CSV: ``,`` ``;`` or tab, as itself or as a word; any other raises :class:`Invalid`.
    """
    if kind is FileKind.NDJSON:
        return NdjsonReader(coercer, channel, on_invalid, region=region)
    separator = None if delimiter is None else _WORDS.get(delimiter, delimiter)
    if separator is not None and separator not in DELIMITERS:
        raise Invalid("a delimiter is a comma, a semicolon or a tab", code="delimiter_unknown")
    return CsvReader(coercer, channel, on_invalid, region=region, delimiter=separator)
