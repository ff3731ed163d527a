"""Checks: each is made, none raises, and a failure comes with what to do."""

from __future__ import annotations

from pagerd.core.errors import Misconfigured, Unavailable
from pagerd.health.checks import Check, Checks


async def well() -> None:
    return None


async def full() -> None:
    raise Unavailable("the disk is full")


async def wrong_key() -> None:
    raise Misconfigured("no key file", remedy="Put it back.")


async def broken() -> None:
    raise ZeroDivisionError("division by zero")


async def test_every_probe_is_made_in_order_and_none_ends_the_others() -> None:
    checks = Checks([("a", broken, "Look."), ("b", well, ""), ("c", full, "Free some space."), ("d", wrong_key, "?")])
    assert await checks.run() == [
        Check(name="a", ok=False, detail="ZeroDivisionError: division by zero", remedy="Look."),
        Check(name="b", ok=True, detail="ok"),
        Check(name="c", ok=False, detail="the disk is full", remedy="Free some space."),
        Check(name="d", ok=False, detail="no key file", remedy="Put it back."),
    ]


async def test_what_was_mended_is_well_at_the_next_look() -> None:
    state = [True]

    async def probe() -> None:
        if state[0]:
            raise Unavailable("not yet")

    checks = Checks([("x", probe, "Wait.")])
    assert [c.ok for c in await checks.run()] == [False]
    state[0] = False
    assert [(c.ok, c.remedy) for c in await checks.run()] == [(True, "")]
