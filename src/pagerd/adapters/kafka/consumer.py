"""Taking: one thread polls, lanes take from bounded buffers, and what is done in a row is committed.

::

    poll ─► read ─► buffer (urgent | bulk) ─► take ─► … ─► ack ─► low-water mark ─► commit
      ▲                 │ full: its partitions are paused
      └─ revoked: what nobody was handed is dropped, what is under way is waited for a little, then committed
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from pagerd.adapters.kafka import records
from pagerd.adapters.kafka.failures import translated
from pagerd.adapters.kafka.library import consuming, library
from pagerd.adapters.kafka.places import Place
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.errors import PagerError, Unavailable
from pagerd.core.policy import Priority
from pagerd.ports.queue import Delivery, Undecodable

HIGH: Final = 1_024
"""So many records wait for a lane, and their partitions are paused."""
_LOW: Final = 512
_WIDE: Final = 8 * 2**20
"""Bytes of payloads that are as much as ``HIGH`` records."""
_PORTION: Final = 128
_PAUSED: Final = 0.02
_BUSY: Final = 0.05
_IDLE: Final = 0.5
_COMMIT_EVERY: Final = 0.25
_AFTER_TROUBLE: Final = 1.0
_FAREWELL: Final = 5.0

Taken = Delivery | Undecodable
Handle = tuple[Place, int]


class Consumer:
    """One member of the group of workers. ``trouble`` hears on the event loop of what changed for the worse."""

    def __init__(
        self,
        settings: KafkaSettings,
        installation: bytes,
        largest: int,
        trouble: Callable[[PagerError], None],
        drain: float,
    ) -> None:
        """``drain``: for how many seconds a partition that goes to another waits for what is under way of it."""
        self._settings = settings
        self._installation = installation
        self._largest = largest
        self._trouble = trouble
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._priorities = {settings.topic(priority): priority for priority in Priority}
        self._buffers: dict[Priority, deque[Taken]] = {priority: deque() for priority in Priority}
        self._bytes = dict.fromkeys(Priority, 0)
        self._arrived = {priority: asyncio.Event() for priority in Priority}
        self._places: dict[tuple[str, int], Place] = {}
        self._paused: set[Priority] = set()
        self._grown = False
        self._lock = threading.Condition()
        self._closing = threading.Event()
        self._committed_at = 0.0
        self._said = ""
        self._client: Any = None
        self._thread = threading.Thread(target=self._run, name="pagerd-kafka-consumer", daemon=True)
        self._thread.start()

    # -- on the event loop ----------------------------------------------------------------------------------------

    async def take(self, priority: Priority, n: int) -> Sequence[Taken]:
        """Return up to ``n`` records, waiting until there is one."""
        arrived = self._arrived[priority]
        while True:
            if self._closing.is_set():
                raise Unavailable("the queue is closing", code="closing")
            with self._lock:
                buffer = self._buffers[priority]
                found = [buffer.popleft() for _ in range(min(n, len(buffer)))]
                self._bytes[priority] -= sum(map(_size, found))
            if found:
                return found
            arrived.clear()
            await arrived.wait()

    def ack(self, handle: Handle) -> None:
        """Let a record be committed once all before it are. Twice, or too late, is harmless."""
        place, offset = handle
        with self._lock:
            place.done(offset)
            self._lock.notify_all()

    def close(self) -> None:
        """Commit what is acknowledged, leave the group; with the broker away, soon. Twice is harmless. Blocks."""
        self._closing.set()
        self._thread.join(_FAREWELL)
        for arrived in self._arrived.values():
            self._loop.call_soon_threadsafe(arrived.set)

    # -- on the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._member()
            except Exception as error:  # noqa: BLE001 - a thread that died would leave a worker that looks alive
                self._tell(error)
                self._closing.wait(_AFTER_TROUBLE)

    def _member(self) -> None:
        """Be a member of the group until the end, or until the client breaks for good."""
        self._client = library().Consumer(consuming(self._settings, self._heard, self._largest))
        try:
            self._client.subscribe(
                list(self._priorities), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._closing.is_set():
                self._regulate()
                self._read(self._next_messages())
                self._commit_some()
        finally:
            self._commit()
            self._client.close()
            self._forget(list(self._places.values()))

    def _next_messages(self) -> list[Any]:
        with self._lock:
            busy = any(place.held for place in self._places.values())
        first = self._client.poll(_PAUSED if self._paused else _BUSY if busy else _IDLE)
        return [] if first is None else [first, *self._client.consume(_PORTION, 0)]

    def _read(self, messages: Sequence[Any]) -> None:
        arrived: set[Priority] = set()
        for message in messages:
            error = message.error()
            if error is not None:
                self._heard(error)
                continue
            priority = self._priorities[message.topic()]
            with self._lock:
                place = self._places.get((message.topic(), message.partition()))
                if place is not None:
                    place.taken(message.offset())
                    taken = self._opened(message, priority, place)
                    self._buffers[priority].append(taken)
                    self._bytes[priority] += _size(taken)
                    arrived.add(priority)
        for priority in arrived:
            self._said = ""
            self._loop.call_soon_threadsafe(self._arrived[priority].set)

    def _opened(self, message: Any, priority: Priority, place: Place) -> Taken:
        handle = (place, message.offset())
        try:
            arrival, trace = records.read(message.headers(), message.value(), self._installation)
        except (ValueError, TypeError) as error:
            return Undecodable(
                topic=place.topic,
                partition=place.partition,
                offset=message.offset(),
                headers=records.written(message.headers()),
                raw=message.value() or b"",
                reason=str(error),
                handle=handle,
            )
        return Delivery(arrival=arrival, priority=priority, handle=handle, trace=trace)

    def _regulate(self) -> None:
        """Pause the partitions of a queue whose buffer is full, and let them go on when it has room."""
        for priority, buffer in self._buffers.items():
            full = max(len(buffer) / HIGH, self._bytes[priority] / _WIDE)
            if priority not in self._paused:
                if full >= 1:
                    self._paused.add(priority)
                    self._client.pause(self._partitions(priority))
            elif full <= _LOW / HIGH:
                self._paused.discard(priority)
                self._client.resume(self._partitions(priority))
            elif self._grown:  # a partition that came meanwhile flows
                self._client.pause(self._partitions(priority))
        self._grown = False

    def _partitions(self, priority: Priority) -> list[Any]:
        topic, make = self._settings.topic(priority), library().TopicPartition
        return [make(place.topic, place.partition) for place in self._places.values() if place.topic == topic]

    # -- the group ------------------------------------------------------------------------------------------------

    def _assigned(self, _client: Any, partitions: Sequence[Any]) -> None:
        with self._lock:
            for one in partitions:
                self._places[one.topic, one.partition] = Place(one.topic, one.partition)
        self._grown = True

    def _revoked(self, _client: Any, partitions: Sequence[Any]) -> None:
        """Drop what nobody was handed, wait a little for what is under way, commit, and let go."""
        with self._lock:
            going = [p for one in partitions if (p := self._places.get((one.topic, one.partition))) is not None]
            self._drop(going)
            until = 0.0 if self._closing.is_set() else self._drain
            self._lock.wait_for(lambda: not any(place.held for place in going), until)
        self._commit()
        self._forget(going)

    def _lost(self, _client: Any, partitions: Sequence[Any]) -> None:
        """Let go at once: another has them already."""
        with self._lock:
            going = [p for one in partitions if (p := self._places.get((one.topic, one.partition))) is not None]
            self._drop(going)
        self._forget(going)

    def _drop(self, going: Sequence[Place]) -> None:
        for priority, buffer in self._buffers.items():
            kept = deque(taken for taken in buffer if taken.handle[0] not in going)
            for taken in reversed(buffer):
                place, offset = taken.handle
                if place in going:
                    place.dropped(offset)
            buffer.clear()
            buffer.extend(kept)
            self._bytes[priority] = sum(map(_size, kept))

    def _forget(self, going: Sequence[Place]) -> None:
        with self._lock:
            for place in going:
                place.ours = False
                self._places.pop((place.topic, place.partition), None)

    # -- offsets --------------------------------------------------------------------------------------------------

    def _commit_some(self) -> None:
        now = time.monotonic()
        if now - self._committed_at >= _COMMIT_EVERY:
            self._committed_at = now
            self._commit(wait=False)

    def _commit(self, *, wait: bool = True) -> None:
        """Commit the low-water mark of every partition where it moved; one that fails is tried again."""
        lib = library()
        with self._lock:
            moved = [(place, to) for place in self._places.values() if (to := place.to_commit()) is not None]
            for place, to in moved:
                place.committed = to
        if not moved:
            return
        offsets = [lib.TopicPartition(place.topic, place.partition, to) for place, to in moved]
        try:
            self._client.commit(offsets=offsets, asynchronous=not wait)
        except lib.KafkaException as error:
            self._heard(error.args[0])
            with self._lock:
                for place, _ in moved:
                    place.committed = None

    # -- trouble --------------------------------------------------------------------------------------------------

    def _heard(self, error: Any) -> None:
        """Take note of an error of the connection or the group; one that the client can't mend ends it."""
        self._tell(translated(error, self._settings))
        if error.fatal():
            raise library().KafkaException(error)

    def _tell(self, error: Exception) -> None:
        known = error if isinstance(error, PagerError) else translated_or_broken(error, self._settings)
        if known.detail != self._said and not self._closing.is_set():
            self._said = known.detail
            self._loop.call_soon_threadsafe(self._trouble, known)


def _size(taken: Taken) -> int:
    return len(taken.arrival.payload if isinstance(taken, Delivery) else taken.raw)


def translated_or_broken(error: Exception, settings: KafkaSettings) -> PagerError:
    """Return Pager's error for anything that ended the thread's work."""
    inner = error.args[0] if error.args else None
    if hasattr(inner, "fatal"):
        return translated(inner, settings)
    return Unavailable(f"the queue's consumer broke ({type(error).__name__})", code="queue_away")
