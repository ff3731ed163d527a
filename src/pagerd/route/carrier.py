"""A provider in service: the open connection to it, and whether it may be used right now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.ports.provider import Provider
from pagerd.ports.time import Clock
from pagerd.route.breaker import Breaker
from pagerd.route.pacing import Pacing

_F = FailureClass
CONNECTION_CODES: Final = frozenset({"connect_failed", "connection_lost", "timeout", "tls_failed", "dns_failed"})
"""Codes of transient outcomes that speak of the connection and not of a message."""
_GREYLISTING: Final = ("450 4.7", "451 4.7")
_SHORTEST_HOLD: Final = 1.0
_LONGEST_HOLD: Final = 86_400.0
_USUAL_HOLD: Final = 30.0


class Carrier:
    """One provider with its number in vectors, its default sender and region, and its health.

    Only people pause it, for only people end a pause. A fault of its configuration opens the breaker instead, which
    probes, and so ends by itself once the fault is mended; meanwhile no attempt is burned either.
    """

    def __init__(
        self,
        provider: Provider,
        number: int,
        sender: str | None,
        clock: Clock,
        *,
        region: str | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """``region`` is where telephone numbers without a country are dialled, ``pacing`` its rate if it has one."""
        self.provider = provider
        self.number = number
        self.sender = sender
        self.region = region
        self.pacing = pacing
        self.paused: str | None = None
        self.fault: str | None = None
        self._clock = clock
        self._breaker = Breaker()
        self._held_until = 0.0

    @property
    def window(self) -> int:
        """How many messages are handed to it at a time, at most."""
        batch = self.provider.limits.batch
        return batch if self.pacing is None else min(batch, self.pacing.rate.window)

    def wait(self) -> float:
        """Return for how many seconds nothing may be sent by it; 0: now. A pause by a person is asked again in 5 s."""
        if self.paused is not None:
            return 5.0
        now = self._clock.monotonic()
        return max(self._held_until - now, self._breaker.closed_in(now), 0.0)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from what the provider said: throttling holds it back, faults open the breaker, answers close it."""
        now = self._clock.monotonic()
        for outcome in outcomes:
            if outcome.kind is _F.THROTTLED and not is_greylisting(outcome):
                self._held_until = max(self._held_until, now + held_for(outcome.retry_after))
            if outcome.kind is _F.PROVIDER_CONFIG:
                self.fault = outcome.code  # without the peer's words: they may name people, and are kept sealed
        if any(is_fault(outcome) for outcome in outcomes):
            self._breaker.fault(now)
        elif any(outcome.kind not in (_F.NOT_SENT, _F.IN_DOUBT) for outcome in outcomes):
            self._breaker.good(now)
            self.fault = None

    def health(self) -> dict[str, Any]:
        """Return what people should know of it."""
        wait = self.wait() if self.paused is None and not self._breaker.is_open else 0.0
        return {
            "breaker": "open" if self._breaker.is_open else "closed",
            "held_for_seconds": round(wait, 1),
            "last_fault": self.fault,
        }


def is_fault(outcome: Outcome) -> bool:
    """Tell whether an outcome speaks of an ill peer rather than of a message."""
    if outcome.kind is _F.PROVIDER_CONFIG:
        return True
    return outcome.kind is _F.TRANSIENT and outcome.code in CONNECTION_CODES


def is_greylisting(outcome: Outcome) -> bool:
    """Tell whether a throttling reply is about one recipient (greylisting, RFC 6647): others may well go on."""
    return outcome.retry_after is None and outcome.code.startswith(_GREYLISTING)


def held_for(retry_after: float | None) -> float:
    """Return for how many seconds a throttled provider is left alone: what it asked for, within 1 s and 24 h."""
    return min(max(_USUAL_HOLD if retry_after is None else retry_after, _SHORTEST_HOLD), _LONGEST_HOLD)
