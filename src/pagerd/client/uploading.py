"""Big audiences on their way: part after part, each atomic, each sent again until it is there."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Final

import msgspec

from pagerd.client.calls import at, plain
from pagerd.client.errors import ApiError
from pagerd.client.people import Part
from pagerd.client.sessioncalls import SessionCalls
from pagerd.client.steps import Plan, Request, Rows, fill
from pagerd.core.views import PartView

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PATIENT_SECONDS: Final = 120.0
"""How long a server may be silent over a part: it is checked, sealed and on the disk before it answers."""


class UploadCalls(SessionCalls):
    """Plans about the parts of an audience."""

    def _put(
        self,
        id: str,
        number: int,
        body: bytes,
        *,
        content_type: str = NDJSON,
        delimiter: str | None = None,
        line_offset: int = 0,
    ) -> Plan[PartView]:
        """Store a part, whole or not at all; the same number again replaces it."""
        request = Request(
            method="PUT",
            path=at("sessions", id, "parts", number),
            query=plain({"delimiter": delimiter, "line_offset": line_offset or None}),
            headers={"content-type": content_type, "content-digest": digest_of(body)},
            body=body,
            timeout=PATIENT_SECONDS,
        )
        return (yield from self._call(PartView, request))

    def _uploaded(self, id: str, part: Part, rows: Rows) -> Plan[tuple[int, int]]:
        """Store ``rows`` as parts, of which ``part`` is the first, begun already; return (parts, recipients)."""
        number = recipients = lines = 0
        spent = False
        while not spent:
            spent = yield from fill(part, rows)
            if part.count:
                number += 1
                recipients += (yield from self._put_after(id, number, part, lines)).recipients
                lines += part.count
            part = Part()
        return number, recipients

    def _put_after(self, id: str, number: int, part: Part, lines: int) -> Plan[PartView]:
        """Store a part that stands after ``lines`` others; what is wrong in it is named by the place in the whole."""
        try:
            return (yield from self._put(id, number, bytes(part.body), line_offset=lines))
        except ApiError as problem:
            shift_lines(problem, lines)
            raise


def shift_lines(problem: ApiError, lines: int) -> None:
    """Make the lines that ``problem`` names count from ``lines`` further up: a part knows only its own."""
    problem.faults = tuple(
        msgspec.structs.replace(fault, line=fault.line + lines) if fault.line is not None else fault
        for fault in problem.faults
    )


def digest_of(body: bytes) -> str:
    """Return the ``Content-Digest`` of a body (RFC 9530, section 2)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"
