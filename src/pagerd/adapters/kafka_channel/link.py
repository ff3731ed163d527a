"""A producer, the thread that hears its reports, and a look at the brokers before the first record.

The producer is idempotent and asks for all replicas, so that the library may try again by itself without making
duplicates. Keys are partitioned as the Java client does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from pagerd.adapters.kafka_channel import codes
from pagerd.adapters.kafka_channel.records import Parcel
from pagerd.adapters.kafka_channel.settings import KafkaSettings, is_local, loopback_only
from pagerd.core.outcomes import FailureClass

_LISTEN: Final = 0.5
_GOODBYE: Final = 5.0
_LET_GO: Final = frozenset({"_FATAL", "_PURGE_QUEUE"})
_PROTOCOLS: Final = {
    (False, False): "PLAINTEXT",
    (False, True): "SSL",
    (True, False): "SASL_PLAINTEXT",
    (True, True): "SASL_SSL",
}


class Refusal(Exception):
    """A record was not handed over: ``kind`` says what that means for it."""

    def __init__(self, kind: FailureClass, code: str, text: str = "") -> None:
        self.kind = kind
        self.code = code
        self.text = text
        super().__init__(kind, code, text)

    @classmethod
    def before(cls, name: str, text: str = "") -> Refusal:
        """Return the refusal that an error is, by its name, before anything was handed over."""
        return cls(codes.before(name), codes.code(name), text)


class Report(msgspec.Struct, frozen=True):
    """What became of a record: ``error`` is its name, or nothing where all replicas have the record."""

    error: str = ""
    text: str = ""
    reference: str = ""


class Link:
    """The connection to the brokers. It belongs to one event loop; made, it connects at once."""

    def __init__(self, settings: KafkaSettings, credential: str | None) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._sure = False
        self._looking = asyncio.Lock()
        self._unfit: tuple[str, str] | None = None
        self._fatal = ""
        self._written = False
        self._closed = threading.Event()
        self._producer = Producer(configuration(settings, credential) | {"error_cb": self._noted})
        self._listener = threading.Thread(target=self._listen, name="pagerd-kafka", daemon=True)
        self._listener.start()

    async def ready(self, *, anew: bool = False) -> None:
        """Return when the brokers answer and know the topic; raise :class:`Refusal` if not.

        Looked at before the first record, and ``anew`` or after any trouble: so a broker that is away costs nobody a
        doubt.
        """
        if self._sure and not anew:
            return
        async with self._looking:
            if not self._sure or anew:
                await asyncio.to_thread(self._look)
                self._sure = True

    def hand_over(self, parcel: Parcel) -> asyncio.Future[Report]:
        """Return the report to come for a record that is now on its way; raise :class:`Refusal` where it is not."""
        if self._closed.is_set():
            raise Refusal.before("closed", "the provider is closed")
        future: asyncio.Future[Report] = self._loop.create_future()
        try:
            self._producer.produce(
                self._settings.topic,
                value=parcel.value,
                key=parcel.key,
                headers=parcel.headers,
                on_delivery=partial(self._delivered, future),
            )
        except BufferError as error:
            raise Refusal.before("_QUEUE_FULL", "too many records wait for the brokers") from error
        except KafkaException as error:
            raise _refusal(error) from error
        return future

    @property
    def broken(self) -> bool:
        """Whether the producer met an error that it never gets over: only another one can go on."""
        return bool(self._fatal)

    def doubt(self) -> None:
        """Look again before the next record."""
        self._sure = False

    async def aclose(self) -> None:
        """Let go of what is under way, whose reports come at once; twice is harmless."""
        if not self._closed.is_set():
            self._closed.set()
            await asyncio.to_thread(self._listener.join, _GOODBYE)

    def _look(self) -> None:
        settings = self._settings
        try:
            found = self._producer.list_topics(settings.topic, timeout=settings.connect_timeout)
        except KafkaException as error:
            if self._unfit is not None:
                raise Refusal.before(*self._unfit) from error
            raise _refusal(error) from error
        self._unfit = None
        wrong = found.topics[settings.topic].error
        if wrong is not None:
            raise Refusal.before(wrong.name(), f"topic {settings.topic}: {wrong.str()}")
        if loopback_only(settings):
            far = sorted({broker.host for broker in found.brokers.values() if not _here(broker.host)})
            if far:
                words = (
                    f"the brokers say that they are {', '.join(far)}: set their advertised.listeners to this machine"
                )
                raise Refusal.before("not_loopback", words)

    def _listen(self) -> None:
        """Serve reports until the link is closed or broken; then purge what is left, and serve the reports of that."""
        while not self._closed.is_set() and not self._fatal:
            self._served(partial(self._producer.poll, _LISTEN))
        self._closed.set()
        self._served(self._producer.purge)
        self._served(partial(self._producer.flush, _GOODBYE))

    def _served(self, serve: Callable[[], object]) -> None:
        """Let the library work; an error that it raises instead of reporting it is noted."""
        try:
            serve()
        except KafkaException as error:
            if error.args and isinstance(error.args[0], KafkaError):
                self._noted(error.args[0])

    def _delivered(self, future: asyncio.Future[Report], error: KafkaError | None, record: Any) -> None:
        if error is None:
            self._written = True
            report = Report(reference=f"{record.topic()}/{record.partition()}/{record.offset()}")
        else:
            gone = self._fatal and not self._written and error.name() in _LET_GO  # nothing of ours ever left
            report = Report(error=self._fatal if gone else error.name(), text=error.str())
        try:
            self._loop.call_soon_threadsafe(_settle, future, report)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _noted(self, error: KafkaError) -> None:
        """Take note of trouble with the connection, which concerns no record in particular."""
        self._sure = False
        if error.fatal():
            self._fatal = error.name()
        if codes.before(error.name()) is FailureClass.PROVIDER_CONFIG:
            self._unfit = (error.name(), error.str())


def configuration(settings: KafkaSettings, credential: str | None) -> dict[str, Any]:
    """Return what the library is told."""
    known: dict[str, Any] = {
        "bootstrap.servers": settings.servers,
        "client.id": "pagerd",
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "linger.ms": 1,
        "message.timeout.ms": int(settings.answer_timeout * 1000),
        "socket.connection.setup.timeout.ms": max(1000, int(settings.connect_timeout * 1000)),
        "message.max.bytes": settings.max_record_bytes,
        "queue.buffering.max.kbytes": settings.queue_bytes // 1000,
        "security.protocol": _PROTOCOLS[settings.user is not None, settings.tls],
        "logger": logging.getLogger("pagerd.kafka.client"),
        "log_level": 2,  # what matters comes by error_cb
    }
    if settings.user is not None:
        known |= {"sasl.mechanism": settings.mechanism, "sasl.username": settings.user, "sasl.password": credential}
    if settings.tls:
        known["enable.ssl.certificate.verification"] = settings.verify
        known["ssl.endpoint.identification.algorithm"] = "https" if settings.verify else "none"
        if settings.ca_file is not None:
            known["ssl.ca.location"] = settings.ca_file
    return known


def _settle(future: asyncio.Future[Report], report: Report) -> None:
    if not future.done():
        future.set_result(report)


def _refusal(error: KafkaException) -> Refusal:
    cause = error.args[0] if error.args else None
    if isinstance(cause, KafkaError):
        return Refusal.before(cause.name(), cause.str())
    return Refusal.before("internal_error", type(error).__name__)


def _here(host: str) -> bool:
    """Tell whether a broker's host is this machine, by its address or its name."""
    return is_local(host) or host in (socket.gethostname(), socket.getfqdn())
