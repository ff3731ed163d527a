"""How fast a provider may be used: a rate in words and numbers, and the meter that holds to it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3_600.0, "day": 86_400.0}
_WRITTEN: Final = re.compile(rf"(\d{{1,9}})/({'|'.join(_UNITS)})")
_FASTEST: Final = 100_000.0
_AT_ONCE: Final = 0.05
_WINDOW: Final = 0.25
_NOTHING: Final = 1e-9


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many messages in so many seconds, at most ``burst`` of them at once."""

    messages: float
    seconds: float = 1.0
    burst: int = 1

    @property
    def each(self) -> float:
        """How many seconds one message takes."""
        return self.seconds / self.messages

    @property
    def window(self) -> int:
        """How many messages are worth asking for at a time: a quarter of a second's, at least one."""
        return max(1, int(_WINDOW / self.each))

    def share(self, among: int) -> Rate:
        """Return one of ``among`` equal shares, that are no faster than this rate in sum."""
        return Rate(messages=self.messages / among, seconds=self.seconds, burst=max(1, self.burst // among))


class Meter:
    """Counts what leaves against a rate by the Generic Cell Rate Algorithm (ITU-T I.371, annex A).

    It remembers one time: up to when everything that has left is paid for. In any ``t`` seconds at most
    ``t / rate.each`` messages leave, and once the burst, or what was taken at once where that is more.
    """

    def __init__(self, paid_until: float = 0.0) -> None:
        self._paid_until = paid_until

    def take(self, now: float, rate: Rate, n: int) -> float:
        """Take ``n`` messages and return 0; where it is too early for them take nothing and return the wait."""
        paid = max(self._paid_until, now)
        wait = paid - now + (n - max(rate.burst, n)) * rate.each
        if wait > _NOTHING:
            return wait
        self._paid_until = paid + n * rate.each
        return 0.0


def read_rate(text: str) -> Rate:
    """Return the rate that is written as ``100/s``, ``6000/min``, ``1000/h`` or ``50000/day``.

    What it may burst is a twentieth of a second's. Raise :class:`ValueError` with what is wrong and how it is written.
    """
    written = _WRITTEN.fullmatch(text.replace(" ", ""))
    if written is None:
        raise ValueError(f"{text!r} is no rate: write 100/s, 6000/min, 1000/h or 50000/day")
    messages, seconds = int(written[1]), _UNITS[written[2]]
    if messages == 0:
        raise ValueError(f"{text!r} would send nothing, ever: pause the provider instead")
    if messages / seconds > _FASTEST:
        raise ValueError(f"{text!r} is above {_FASTEST:.0f}/s, the fastest that is counted: leave the rate away")
    return Rate(messages=messages, seconds=seconds, burst=max(1, int(_AT_ONCE * messages / seconds)))
