"""Times as the interface writes them: UTC, RFC 3339, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(epoch: float) -> str:
    """Return UTC epoch seconds as text."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_or_none(epoch: float | None) -> str | None:
    """Return UTC epoch seconds as text, or ``None``."""
    return None if epoch is None else instant(epoch)


def epoch_of(time: datetime | None) -> float | None:
    """Return UTC epoch seconds, or ``None``."""
    return None if time is None else time.timestamp()
