"""A process of its own that sends as fast as the shared pace lets it: a line ``before after count`` a departure."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from pagerd.adapters.redis.link import Link
from pagerd.adapters.redis.pace import RedisPace
from pagerd.adapters.system.time import SystemClock
from pagerd.core.rates import Rate


async def main(url: str, messages: float, burst: int, at_once: int) -> None:
    """Send until standard input ends."""
    link = Link(url, "test:", SystemClock())
    pace = RedisPace(link, SystemClock())
    rate = Rate(messages=messages, burst=burst)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not ended.done():
        before = time.monotonic()
        wait = await pace.take("mail", rate, at_once)
        if wait == 0.0:
            print(before, time.monotonic(), at_once, flush=True)
        else:
            await asyncio.wait([ended], timeout=min(wait, 0.25))
    await pace.aclose()
    await link.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *json.loads(sys.argv[2])))
