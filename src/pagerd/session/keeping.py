"""What one commit of an admission writes: the session, its batches, who is settled at the door, and the counters."""

from __future__ import annotations

import msgspec

from pagerd.core.balance import Counts, verdict
from pagerd.core.batches import BatchKey
from pagerd.core.policy import Priority
from pagerd.core.requests import Asker
from pagerd.core.states import RecipientState, SessionState
from pagerd.ledger import specs
from pagerd.ports.store import Payload, SessionRow, Work
from pagerd.seal.hierarchy import SessionKey
from pagerd.session.asking import Plan
from pagerd.session.seeding import Seeds, seeds


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """An inline audience, cut and sealed, with the people who are settled at the door."""

    payloads: list[Payload]
    addresses: list[tuple[bytes, int, int]]
    settled: dict[tuple[int, int], tuple[RecipientState, int]]
    recipients: int

    def sizes(self) -> dict[int, int]:
        """Return the number of people of each batch."""
        return {payload.seq: payload.n for payload in self.payloads}


def session_row(asker: Asker, plan: Plan, key: SessionKey, session: bytes, cut: Cut | None, now: float) -> SessionRow:
    """Return the row of a new session; without an audience it is still being staged."""
    last = 0 if cut is None else len(cut.payloads)
    return SessionRow(
        id=session,
        workspace=asker.workspace,
        state=SessionState.STAGING if cut is None else first_state(plan.send_at, now),
        template=plan.spec.template,
        version=plan.spec.version,
        channel=plan.spec.channel,
        batch_size=plan.spec.batch_size,
        priority=Priority(plan.priority),
        on_doubt=plan.spec.on_doubt,
        on_invalid=plan.spec.on_invalid,
        key_id=key.id,
        spec=specs.sealed(key, session, plan.spec),
        owner=asker.key,
        stop_no=last,
        last_no=last,
        total=0 if cut is None else cut.recipients,
        send_at=plan.send_at,
        expires_at=plan.expires_at,
        created_at=now,
    )


def first_state(send_at: float | None, now: float) -> SessionState:
    """Return where a session with its audience complete begins: scheduled where its time is yet to come."""
    return SessionState.SCHEDULED if send_at is not None and send_at > now else SessionState.READY


def keep(
    work: Work, asker: Asker, row: SessionRow, cut: Cut | None
) -> tuple[int, Counts, list[tuple[RecipientState, int, int]]]:
    """Insert a session with its audience; return its number, counters and reasons. A part of one transaction."""
    if cut is None:
        return work.sessions.add(row, Counts()), Counts(), []
    seeded = seeds(0, cut.settled, cut.sizes()) if cut.settled else None
    counts = Counts(pending=cut.recipients, batches_ready=len(cut.payloads))
    if seeded is not None:
        counts += seeded.delta
        if not counts.unsettled:
            row = _over_before_it_began(row, counts)
    number = work.sessions.add(row, counts)
    work.parts.add_payloads(number, cut.payloads)
    work.addresses.add_small(asker.workspace, number, cut.addresses)
    if seeded is None:
        return number, counts, []
    keep_seeds(work, number, seeded)
    for (state, reason), n in seeded.reasons.items():
        work.sessions.count_reason(number, state, reason, n)
    return number, counts, [(state, reason, n) for (state, reason), n in seeded.reasons.items()]


def keep_seeds(work: Work, number: int, seeded: Seeds) -> None:
    """Insert the rows of people who are settled at the door; their counters are the caller's."""
    work.batches.seed([msgspec.structs.replace(row, key=BatchKey(number, row.key.no)) for row in seeded.batches])
    work.batches.except_(number, seeded.exceptions, [])


def _over_before_it_began(row: SessionRow, counts: Counts) -> SessionRow:
    return msgspec.structs.replace(row, state=verdict(counts) or row.state, finished_at=row.created_at)
