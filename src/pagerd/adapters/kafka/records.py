"""A batch as a record: the sealed payload is its value, headers say whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pagerd.core.batches import BatchKey
from pagerd.ports.ledger import Arrival
from pagerd.ports.queue import Parcel

FORMAT: Final = b"1"
_VERSION: Final = "pagerd"
_NEEDED: Final = ("installation", "session", "session_id", "batch", "n", "at", "revision", "priority")
Headers = Sequence[tuple[str, bytes | None]]


def headers(parcel: Parcel, installation: bytes) -> list[tuple[str, bytes]]:
    """Return the headers of a parcel's record."""
    arrival = parcel.arrival
    said = [
        (_VERSION, FORMAT),
        ("installation", installation),
        ("session", b"%d" % arrival.key.session),
        ("session_id", arrival.session_id),
        ("batch", b"%d" % arrival.key.no),
        ("n", b"%d" % arrival.n),
        ("at", arrival.payload_at),
        ("revision", b"%d" % arrival.revision),
        ("priority", parcel.priority.name.lower().encode()),
    ]
    if parcel.trace:
        said.append(("traceparent", parcel.trace.encode()))
    return said


def read(given: Headers | None, value: bytes | None, installation: bytes) -> tuple[Arrival, str]:
    """Return (what arrived, its trace); raise :class:`ValueError` that says why a record is none of ours."""
    found = dict(given or ())
    version = found.get(_VERSION)
    if version is None:
        raise ValueError("it is no record of Pager's")
    if version != FORMAT:
        raise ValueError(f"its format {version[:20]!r} is unknown here")
    for name in _NEEDED:
        if not isinstance(found.get(name), bytes):
            raise ValueError(f"the header {name} is missing")  # noqa: TRY004 - a record can't be of a wrong type
    if found["installation"] != installation:
        raise ValueError("it is of another installation")
    if value is None:
        raise ValueError("it has no value")
    return _arrival(found, value), (found.get("traceparent") or b"").decode("ascii", "replace")


def _arrival(found: Mapping[str, Any], value: bytes) -> Arrival:
    if len(found["session_id"]) != 16 or len(found["at"]) != 8:
        raise ValueError("the header session_id or at has a wrong length")
    return Arrival(
        key=BatchKey(int(found["session"]), int(found["batch"])),
        session_id=found["session_id"],
        n=int(found["n"]),
        payload=value,
        payload_at=found["at"],
        revision=int(found["revision"]),
    )


def written(given: Headers | None) -> bytes:
    """Return headers as MessagePack: as they are kept of a record that can't be read."""
    return msgspec.msgpack.encode([(name, value) for name, value in given or ()])
