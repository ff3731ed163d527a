"""What is done to an installation while no server runs, as a process of its own: ``issue-key`` and ``recount``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from pagerd import config
from pagerd.core.states import RecipientState
from pagerd.guard.permissions import Permission
from pagerd.ledger.recount import recount
from pagerd.ports.store import Work
from pagerd.session.closing import REASONS
from pagerd.wiring.house import House, open_house
from pagerd.wiring.workspace import WORKSPACE


async def issue_key(house: House) -> None:
    """Print a key that may do everything."""
    text, _ = await house.keys.issue(WORKSPACE, "crash tests", [permission.value for permission in Permission])
    print(text)


async def count_again(house: House) -> None:
    """Print a line for every counter that is not what the vectors say."""
    cancelled = await house.book.number(REASONS[RecipientState.CANCELLED])

    def differences(work: Work) -> list[str]:
        rows = (work.sessions.by_number(number) for number in range(1, 1000))
        return [str(found) for row in rows if row is not None for found in recount(work, row, cancelled)]

    print("\n".join(await house.store.read(differences)))


async def main(what: str) -> None:
    """Open the house without working, and do it."""
    async with AsyncExitStack() as stack:
        house = await open_house(config.read(None, {}), stack)
        await (issue_key(house) if what == "issue-key" else count_again(house))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
