"""A queue in memory: a broker that several members share, and that gives back what a member did not acknowledge."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from pagerd.core.errors import Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.queue import Delivery, Parcel, Undecodable


class MemoryBroker:
    """Keeps records as bytes. ``away`` lets everything fail; ``largest`` is the size from which on it refuses one."""

    def __init__(self) -> None:
        self.away = False
        self.largest = 1_000_000
        self.published = 0
        self.numbers = count()
        self.held: set[int] = set()
        self.waiting: dict[Priority, deque[tuple[int, bytes]]] = {priority: deque() for priority in Priority}
        self.came: set[asyncio.Future[None]] = set()

    def put(self, priority: Priority, record: bytes) -> None:
        """Append a record, whatever it is."""
        self.waiting[priority].append((next(self.numbers), record))
        self.wake()

    def wake(self) -> None:
        """Let members look again."""
        for waiter in self.came:
            if not waiter.done():
                waiter.set_result(None)


class MemoryQueue:
    """Implements ``ports.queue.Queue``; each one is a member of the group of workers."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._held: dict[int, tuple[Priority, bytes]] = {}
        self._closed = False

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Hand batches to the broker; tell for each whether it has taken it for good."""
        await self.ping()
        taken = []
        for parcel in parcels:
            fits = len(parcel.arrival.payload) <= self._broker.largest
            if fits:
                self._broker.published += 1
                self._broker.put(parcel.priority, msgspec.msgpack.encode(parcel))
            taken.append(fits)
        return taken

    async def take(self, priority: Priority, n: int) -> Sequence[Delivery | Undecodable]:
        """Return up to ``n`` records, waiting until there is one."""
        await self.ping()
        waiting = self._broker.waiting[priority]
        while not waiting:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._broker.came.add(waiter)
            try:
                await waiter
            finally:
                self._broker.came.discard(waiter)
            await self.ping()
        return [self._opened(priority, *waiting.popleft()) for _ in range(min(n, len(waiting)))]

    def _opened(self, priority: Priority, number: int, record: bytes) -> Delivery | Undecodable:
        self._held[number] = (priority, record)
        self._broker.held.add(number)
        try:
            parcel = msgspec.msgpack.decode(record, type=Parcel)
        except msgspec.DecodeError as error:
            return Undecodable(
                topic=priority.name.lower(),
                partition=0,
                offset=number,
                headers=b"",
                raw=record,
                reason=str(error),
                handle=number,
            )
        return Delivery(arrival=parcel.arrival, priority=priority, handle=number, trace=parcel.trace)

    def ack(self, handle: Any) -> None:
        """Let the broker forget a record. Twice is harmless."""
        if self._held.pop(handle, None) is not None:
            self._broker.held.discard(handle)

    async def lag(self) -> int:
        """Return how many records the workers together have not acknowledged yet."""
        return sum(map(len, self._broker.waiting.values())) + len(self._broker.held)

    async def ping(self) -> None:
        """Return when the broker answers, after everybody else had a turn."""
        await asyncio.sleep(0)
        if self._closed:
            raise Unavailable("the queue is closed", code="closing")
        if self._broker.away:
            raise Unavailable("the queue is away", code="queue_away")

    async def aclose(self) -> None:
        """Leave; what was not acknowledged goes to the others, first. Twice is harmless."""
        self._closed = True
        for number, (priority, record) in sorted(self._held.items(), reverse=True):
            self._broker.waiting[priority].appendleft((number, record))
            self._broker.held.discard(number)
        self._held.clear()
        self._broker.wake()
