"""Rows and counters as people see them: the balance, the reasons, the times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pagerd.core import ids
from pagerd.core.balance import Counts
from pagerd.core.outcomes import Reason
from pagerd.core.policy import SessionSpec
from pagerd.core.states import RecipientState
from pagerd.core.views import ReasonOf, ReasonView, SessionView
from pagerd.ports.store import SessionRow

Tallied = Sequence[tuple[RecipientState, int, int]]
"""(state, reason number, how many) each."""


def session_view(
    row: SessionRow,
    counts: Counts,
    tallied: Tallied,
    reasons: Mapping[int, Reason],
    spec: SessionSpec | None,
    now: float,
) -> SessionView:
    """Return a session as the interface shows it; ``spec`` is ``None`` once its key is shredded."""
    return SessionView(
        id=ids.written(ids.SESSION, row.id),
        state=row.state.value,
        live=True,
        template=f"{row.template}@{row.version}",
        channel=row.channel.value,
        batch_size=row.batch_size,
        priority=row.priority.name.lower(),
        on_invalid=row.on_invalid.value,
        on_doubt=row.on_doubt.value,
        round=row.round,
        total=counts.total,
        told=counts.told,
        withheld=counts.withheld,
        not_told=counts.not_told,
        in_doubt=counts.in_doubt,
        to_go=counts.to_go,
        outcomes={state.word: getattr(counts, state.word) for state in RecipientState},
        receipts=_receipts(counts),
        possible_duplicates=counts.possible_duplicates,
        reasons=reason_views(tallied, reasons),
        batches=_batches(counts),
        rate_per_second=(rate := _rate(row, counts, now)),
        estimated_finish_at=_estimate(row, counts, rate, now),
        send_at=instant(row.send_at),
        expires_at=instant(row.expires_at),
        created_at=instant(row.created_at) or "",
        started_at=instant(row.started_at),
        finished_at=instant(row.finished_at),
        pause_reason=row.pause_reason,
        reference=spec.reference if spec else None,
        metadata=spec.metadata if spec else {},
    )


def reason_views(tallied: Tallied, reasons: Mapping[int, Reason]) -> list[ReasonView]:
    """Return reasons, most people first; those that only delay (deferred) are left to ``outcomes``."""
    shown = [
        ReasonView(
            state=state.word,
            reason_class=reasons[number].kind.value,
            code=reasons[number].code,
            count=n,
            retryable=reasons[number].retryable,
        )
        for state, number, n in tallied
        if state is not RecipientState.DEFERRED and number in reasons
    ]
    return sorted(shown, key=lambda r: (-r.count, r.state, r.code))


def reason_of(reason: Reason | None) -> ReasonOf | None:
    """Return one person's reason."""
    if reason is None:
        return None
    return ReasonOf(reason_class=reason.kind.value, code=reason.code, retryable=reason.retryable)


def instant(at: float | None) -> str | None:
    """Return UTC epoch seconds in RFC 3339, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def masked(address: str) -> str:
    """Return an address that its owner recognises and nobody else can write to: ``a…@example.com``."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…{at}{domain}" if at else f"{address[:2]}…"


def _receipts(counts: Counts) -> dict[str, int]:
    seen = {"delivered": counts.delivered, "bounced": counts.bounced, "complained": counts.complained}
    return seen | {"none": counts.accepted - sum(seen.values())}


def _batches(counts: Counts) -> dict[str, int]:
    return {
        "total": counts.batches,
        "ready": counts.batches_ready,
        "waiting": counts.batches_waiting,
        "dispatching": counts.batches_claimed + counts.batches_dispatching,
        "succeeded": counts.batches_succeeded,
        "failed": counts.batches_failed,
        "dead": counts.batches_dead,
        "cancelled": counts.batches_cancelled,
        "expired": counts.batches_expired,
    }


def _rate(row: SessionRow, counts: Counts, now: float) -> float | None:
    if row.started_at is None or row.round > 1:
        return None
    seconds = (row.finished_at or now) - row.started_at
    done = counts.total - counts.unsettled - counts.withheld
    return round(done / seconds, 1) if seconds > 0 and done > 0 else None


def _estimate(row: SessionRow, counts: Counts, rate: float | None, now: float) -> str | None:
    if not rate or row.finished_at is not None or not counts.to_go:  # rounded to nothing: slower than can be said
        return None
    return instant(now + counts.to_go / rate)
