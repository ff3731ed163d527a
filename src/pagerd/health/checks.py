"""Checks of everything Pager leans on, each with what to do when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from pagerd.core.errors import PagerError


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: ``detail`` says what was found, ``remedy`` what to do about it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


Probe = tuple[str, Callable[[], Awaitable[None]], str]
"""A name, what returns if all is well and raises if not, and the remedy."""


class Checks:
    """Runs the probes that wiring gives it."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes

    async def run(self) -> list[Check]:
        """Return what was found, in the order of the probes. Never raises."""
        return [await _checked(*probe) for probe in self._probes]


async def _checked(name: str, probe: Callable[[], Awaitable[None]], remedy: str) -> Check:
    try:
        await probe()
    except PagerError as error:
        return Check(name=name, ok=False, detail=error.detail, remedy=error.remedy or remedy)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that failed
        return Check(name=name, ok=False, detail=f"{type(error).__name__}: {error}", remedy=remedy)
    return Check(name=name, ok=True, detail="ok")
