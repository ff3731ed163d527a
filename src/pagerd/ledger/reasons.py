"""Numbers for reasons, known without asking the store each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pagerd.core.outcomes import Reason
from pagerd.ports.store import Store

_MOST: Final = 2_000
"""So many different codes are kept apart; a peer that invents more gets ``other`` in their class."""


class ReasonBook:
    """The installation's reasons by number and back. Numbers never change, so what was read once stays true."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[Reason, int] = {}
        self._reasons: dict[int, Reason] = {}

    @property
    def known(self) -> Mapping[int, Reason]:
        """All reasons that were read so far, by number."""
        return self._reasons

    async def load(self) -> None:
        """Read all reasons that have a number."""
        for number, reason in (await self._store.read(lambda work: work.reasons.all())).items():
            self._keep(number, reason)

    async def number(self, reason: Reason) -> int:
        """Return a reason's number, durable before it returns where it is new."""
        known = self._numbers.get(reason)
        if known is not None:
            return known
        if len(self._numbers) >= _MOST:
            reason = Reason(reason.kind, "other")
            if reason in self._numbers:
                return self._numbers[reason]
        number = await self._store.work(lambda work: work.reasons.number(reason))
        self._keep(number, reason)
        return number

    async def numbers(self, reasons: Iterable[Reason]) -> dict[Reason, int]:
        """Return the numbers of several reasons."""
        return {reason: await self.number(reason) for reason in set(reasons)}

    async def reason(self, number: int) -> Reason | None:
        """Return the reason of a number; ``None`` for 0 and for one that was never given."""
        if number and number not in self._reasons:
            await self.load()
        return self._reasons.get(number)

    async def ready(self, numbers: Iterable[int]) -> dict[int, Reason]:
        """Return the reasons of several numbers, those that exist."""
        found = {number: await self.reason(number) for number in set(numbers)}
        return {number: reason for number, reason in found.items() if reason is not None}

    async def where(self, kind: str | None, code: str | None) -> list[int]:
        """Return the numbers of all reasons of a class, with a code, or both."""
        await self.load()
        return [
            number
            for number, reason in self._reasons.items()
            if (kind is None or reason.kind == kind) and (code is None or reason.code == code)
        ]

    def _keep(self, number: int, reason: Reason) -> None:
        self._numbers[reason] = number
        self._reasons[number] = reason
