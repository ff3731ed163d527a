"""What carries batches to workers, as the setting ``queue`` says."""

from __future__ import annotations

from contextlib import AsyncExitStack

from pagerd.config import Settings, secret
from pagerd.ports.queue import Queue
from pagerd.ports.watch import Watch


async def open_queue(settings: Settings, installation: bytes, watch: Watch, stack: AsyncExitStack) -> Queue | None:
    """Return the queue; ``None`` where the store itself is the queue."""
    if settings.queue == "store":
        return None
    from pagerd.adapters.kafka.queue import KafkaQueue
    from pagerd.adapters.kafka.settings import parsed

    queue = KafkaQueue(parsed(settings.queue, secret), installation, watch)
    stack.push_async_callback(queue.aclose)
    return queue
