"""Publishing: groups of records whose delivery reports cross to the event loop once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from pagerd.adapters.kafka import records
from pagerd.adapters.kafka.failures import REFUSED, names_of, translated
from pagerd.adapters.kafka.library import library, producing
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.errors import Unavailable
from pagerd.ports.queue import Parcel

_POLL: Final = 0.5
_FULL: Final = 0.02
_FAREWELL: Final = 5.0


class Producer:
    """Publishes through one idempotent client, which is made anew when it breaks for good."""

    def __init__(self, settings: KafkaSettings, installation: bytes, largest: int) -> None:
        self._settings = settings
        self._installation = installation
        self._largest = largest
        self._refused = names_of(*REFUSED)
        self._client = self._open()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="pagerd-kafka-producer", daemon=True)
        self._thread.start()

    def _open(self) -> Any:
        return library().Producer(producing(self._settings, _unheard, self._largest))

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Return for each whether the broker has it for good; raise where the broker can't be reached."""
        if self._closing.is_set():
            raise Unavailable("the queue is closing", code="closing")
        group = _Group(asyncio.get_running_loop(), len(parcels))
        for at, parcel in enumerate(parcels):
            await self._produce(parcel, group.report(at))
        errors = await group.reported
        if any(error is not None and error.fatal() for error in errors):
            self._client = self._open()  # a broken sequence can't be mended: a new client begins another
        for error in errors:
            if error is not None and error.code() not in self._refused:
                raise translated(error, self._settings)
        return [error is None for error in errors]

    async def _produce(self, parcel: Parcel, report: Callable[[Any, Any], None]) -> None:
        lib = library()
        topic = self._settings.topic(parcel.priority)
        headers = records.headers(parcel, self._installation)
        while True:
            try:
                self._client.produce(topic, parcel.arrival.payload, headers=headers, on_delivery=report)
            except BufferError:  # the client's own queue is full
                await asyncio.sleep(_FULL)
            except lib.KafkaException as error:
                report(error.args[0], None)
                return
            else:
                return

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._client.poll(_POLL)

    def close(self) -> None:
        """Wait a little for what is on its way; end. Twice is harmless. Blocks."""
        if not self._closing.is_set():
            self._closing.set()
            self._client.flush(_FAREWELL)
        self._thread.join()


class _Group:
    """The reports of some records, gathered on the client's thread; the last one wakes the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, n: int) -> None:
        self._loop = loop
        self._errors: list[Any] = [None] * n
        self._left = n
        self._lock = threading.Lock()
        self.reported: asyncio.Future[list[Any]] = loop.create_future()
        if not n:
            self.reported.set_result([])

    def report(self, at: int) -> Callable[[Any, Any], None]:
        """Return what is to be called with the error of the record at a place, or ``None``."""

        def done(error: Any, _message: Any) -> None:
            with self._lock:
                self._errors[at] = error
                self._left -= 1
                last = not self._left
            if last and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._settle)

        return done

    def _settle(self) -> None:
        if not self.reported.done():
            self.reported.set_result(self._errors)


def _unheard(error: Any) -> None:
    """Say nothing: whoever publishes hears of it by the delivery report."""
