"""NDJSON: one recipient object a line.

Lines end with LF (a CR before it is white space to JSON); blank lines are skipped but counted; a byte order mark
is ignored. A line that is no JSON is that row's problem alone; bytes that are no UTF-8 end the reading, because a
wrong encoding is the file's.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from pagerd.audience.limits import RAW_CHARS, ROW_BYTES, SLAB_BYTES
from pagerd.audience.objects import ADDRESS_OF, ADDRESSES, row_of
from pagerd.audience.problems import Problem
from pagerd.audience.reader import Reader
from pagerd.audience.rows import Checked, Row, Rows
from pagerd.audience.slabs import Slabs, encoding_fault
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault
from pagerd.core.policy import Channel, OnInvalid


class _Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A recipient as it stands in a line when nothing is wrong with it."""

    to: str | dict[str, Any]
    data: dict[str, Any] = {}
    id: str | None = None
    locale: str | None = None
    timezone: str | None = None


_ADDRESSES: Final = frozenset(ADDRESSES)
_decode: Final = msgspec.json.Decoder(_Wire).decode


class NdjsonReader(Reader):
    """Reads an audience from chunks of NDJSON."""

    def __init__(
        self,
        coercer: Coercer,
        channel: Channel,
        on_invalid: OnInvalid,
        *,
        region: str | None = None,
        slab: int = SLAB_BYTES,
    ) -> None:
        """Check people's data by ``coercer``, and work through slabs of about ``slab`` bytes."""
        super().__init__(Rows(coercer, channel, on_invalid, region), Slabs(bare_cr=False, size=slab))
        self._line = 0
        self._wanted = ADDRESS_OF[channel]

    def _read(self, slab: bytes) -> list[Checked]:
        found: list[Checked] = []
        number = self._line
        from_json, admit, wary = self._rows.coercer.from_json, self._rows.admit, _is_strange(slab)
        lines = slab.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            number += 1
            checked = None
            try:
                wire = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                data, problems = from_json(wire.data)
                to = wire.to if isinstance(wire.to, str) else self._pick(wire.to)
                if not problems and to is not None and not (wary and _is_strange(line)):
                    checked = admit(number, to, data, wire.id, wire.locale, wire.timezone)
            if checked is None:
                checked = self._look_closely(line, number, lines)
            if checked is not None:
                found.append(checked)
        self._line = number
        return found

    def _pick(self, to: dict[str, Any]) -> str | None:
        """Return the address that the channel writes to, if ``to`` holds nothing unknown."""
        address = to.get(self._wanted)
        return address if isinstance(address, str) and to.keys() <= _ADDRESSES else None

    def _look_closely(self, line: bytes, number: int, lines: list[bytes]) -> Checked | None:
        """Find out what is wrong with a line; ``lines`` are those of its slab."""
        if not line.strip():
            return None
        if len(line) > ROW_BYTES:
            problem = Problem("row_too_long", f"the line is longer than {ROW_BYTES} bytes")
            return self._judge(Row(line=number, raw=line[:RAW_CHARS].decode(errors="replace"), problems=[problem]))
        try:
            text = line.decode()
        except UnicodeDecodeError as wrong:
            before = lines[: number - self._line - 1]
            offset = self._slabs.offset + len(before) + sum(map(len, before))
            raise self.faults.fatal(encoding_fault(line, wrong, offset, number)) from None
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return self._judge(Row(line=number, raw=text, problems=[_malformed(text)]))
        return self._judge(row_of(value, number, text, self._rows.coercer, self._rows.channel))

    def _judge(self, row: Row) -> Checked | None:
        return self._rows.judge(row, lambda problem: _fault(problem, row.line))


def _is_strange(piece: bytes) -> bool:
    """Tell whether a piece may hold what the decoder takes and we don't."""
    return len(piece) > ROW_BYTES or b"\\u0000" in piece


def _fault(problem: Problem, line: int) -> Fault:
    return Fault(code=problem.code, detail=problem.detail, line=line, column=problem.column)


def _malformed(text: str) -> Problem:
    """Return the problem of a line that is no JSON, with its column; the standard library knows where."""
    try:
        json.loads(text)
    except json.JSONDecodeError as wrong:
        return Problem("json_malformed", f"the line is not JSON: {wrong.msg}", column=wrong.pos + 1)
    except RecursionError:
        return Problem("json_malformed", "the line is nested too deep")
    except ValueError:
        pass
    detail = "the line holds what JSON does not carry: NaN, Infinity, half a surrogate, or too large a number"
    return Problem("json_malformed", detail)
