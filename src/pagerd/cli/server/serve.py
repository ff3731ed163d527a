"""A production server, of one role or all."""

from __future__ import annotations

import sys

from pagerd.adapters.metrics.logs import configure
from pagerd.cli.server.running import Role, running
from pagerd.config import Settings


async def serve(settings: Settings, role: Role) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure(settings.log, for_people=False)
    async with running(settings, role) as up:
        print(f"pagerd is ready on {up.url}", flush=True)
        if up.house.restored:
            print(
                "This database was restored from a backup: unfinished sessions are paused. "
                "Look at them (pagerctl sessions list), then resume or cancel each.",
                file=sys.stderr,
                flush=True,
            )
        await up.stop.wait()
        print("stopping: no new claims; waiting for answers that are under way", file=sys.stderr, flush=True)
