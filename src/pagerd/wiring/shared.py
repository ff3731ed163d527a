"""What processes share beside the store: cache, hints and pace, as the setting ``cache`` says."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec

from pagerd.adapters.memory.cache import MemoryBus, MemoryCache
from pagerd.adapters.memory.pace import MemoryPace
from pagerd.config import Settings
from pagerd.core.errors import Unavailable
from pagerd.ports.cache import Bus, Cache
from pagerd.ports.pace import Pace
from pagerd.ports.time import Clock
from pagerd.ports.watch import Watch

_SETTING = "cache"


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """``versions`` holds published templates for all processes; ``None``: each keeps its own, which is quicker."""

    cache: Cache
    bus: Bus
    pace: Pace
    versions: Cache | None = None


async def open_shared(settings: Settings, prefix: str, clock: Clock, watch: Watch, stack: AsyncExitStack) -> Shared:
    """Return what the setting ``cache`` names. A Redis that is away is no reason not to start; a wrong one is."""
    if settings.cache == "memory":
        shared = Shared(cache=MemoryCache(clock), bus=MemoryBus(), pace=MemoryPace(clock))
    else:
        shared = await _redis(settings, prefix, clock, watch, stack)
    stack.push_async_callback(shared.bus.aclose)
    stack.push_async_callback(shared.cache.aclose)
    stack.push_async_callback(shared.pace.aclose)
    return shared


async def _redis(settings: Settings, prefix: str, clock: Clock, watch: Watch, stack: AsyncExitStack) -> Shared:
    from pagerd.adapters.redis.bus import RedisBus
    from pagerd.adapters.redis.cache import RedisCache
    from pagerd.adapters.redis.check import examined
    from pagerd.adapters.redis.link import Link
    from pagerd.adapters.redis.pace import RedisPace

    try:
        for warning in await examined(settings.cache, prefix, clock, _SETTING):
            watch.trouble(warning, Unavailable(warning, code="redis_down"))
    except Unavailable as error:
        watch.trouble(f"{_SETTING}: {error.detail}; going on without", error)
    link = Link(settings.cache, prefix, clock, _SETTING)
    stack.push_async_callback(link.aclose)
    cache = RedisCache(link)
    pace = RedisPace(link, clock, share_of=settings.worker.processes)
    return Shared(cache=cache, bus=RedisBus(link), pace=pace, versions=cache)
