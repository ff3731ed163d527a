"""What carries batches to workers, as the setting ``queue`` says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from pagerd.config import Settings, secret
from pagerd.core.errors import PagerError, Unavailable
from pagerd.ports.queue import Queue
from pagerd.ports.watch import Watch

_EVERY: Final = 5.0


async def open_queue(settings: Settings, installation: bytes, watch: Watch, stack: AsyncExitStack) -> Queue | None:
    """Return the queue; ``None`` where the store itself is the queue."""
    if settings.queue == "store":
        return None
    from pagerd.adapters.kafka.queue import KafkaQueue
    from pagerd.adapters.kafka.settings import parsed

    queue = KafkaQueue(parsed(settings.queue, secret), installation, watch)
    stack.push_async_callback(queue.aclose)
    try:
        await queue.open()
    except Unavailable as error:  # a wrong topic ends the start; a broker that is away is waited for
        watch.trouble("the broker can't be reached; requests are admitted meanwhile", error)
    return queue


async def watch_lag(queue: Queue, tell: Callable[[float], None]) -> None:
    """Ask the broker every few seconds how many records wait, until cancelled; silent while it does not answer."""
    while True:
        with contextlib.suppress(PagerError):
            tell(await queue.lag())
        await asyncio.sleep(_EVERY)
