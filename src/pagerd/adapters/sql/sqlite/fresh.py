"""Fresh batches: a run of consecutive numbers of one session is claimed with a handful of statements."""

from __future__ import annotations

import sqlite3
from typing import Final

from pagerd.adapters.sql.sqlite.leases import Lease
from pagerd.adapters.sql.sqlite.sealed import Range, payloads
from pagerd.adapters.sql.sqlite.statements import HOT, with_rows
from pagerd.core import balance, cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState

READY_TO_CLAIMED: Final = balance.change((BatchState.READY, b""), (BatchState.CLAIMED, b""))


def take_fresh(raw: sqlite3.Connection, numbers: Range, round_: int, priority: Priority, lease: Lease) -> list[Claim]:
    """Claim all of ``numbers`` that are ready, in order; those that were settled at the door are not."""
    standing = {no: rest for no, *rest in raw.execute(HOT["standing"], numbers)}
    claims, rows = [], []
    for sealed in payloads(raw, numbers):
        no, token, vec = sealed.no, 1, cells.fresh(sealed.n)
        if no in standing:
            state, token, vec = standing[no]
            if state != BatchState.READY.value:
                continue
            token += 1
            raw.execute(HOT["take_ready"], (round_, lease.until, lease.worker, numbers.session, no))
        else:
            rows.append((numbers.session, no, 2, priority.value, 1, 0, round_, lease.until, lease.worker, vec))
        claims.append(
            Claim(
                key=BatchKey(numbers.session, no),
                token=token,
                vec=vec,
                payload=sealed.blob,
                payload_at=sealed.place,
                losses=0,
                round=round_,
            )
        )
    for _ in with_rows(raw, "insert_fresh", rows):
        pass
    return claims
