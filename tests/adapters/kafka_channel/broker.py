"""A real broker behind a proxy that can keep its answers back, and a reader of what it really has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.servers.kafka import KafkaServer
from tools.servers.process import Unavailable

PATIENCE = 15.0


class ProxiedKafka(KafkaServer):
    """A broker that tells its clients to come by ``front``, where each test puts a proxy of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.front: int = taken.getsockname()[1]

    def _properties(self) -> Path:
        inner = self.inner_servers
        self.settings = {"advertised.listeners": f"CLIENTS://127.0.0.1:{self.front},INTERNAL://{inner}"}
        return super()._properties()


@contextlib.contextmanager
def proxied(folder: Path) -> Iterator[ProxiedKafka]:
    """A broker in a folder, running; where none can be had the test is skipped, with ``CI`` set it fails."""
    broker = ProxiedKafka(folder)
    try:
        broker.start()
    except Unavailable as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{error} (`make services`)")
    try:
        yield broker
    finally:
        broker.remove()


class Proxy:
    """Carries bytes between clients and the broker; from the moment a client says ``keep``, no answers any more."""

    def __init__(self, front: int, back: int) -> None:
        self._front, self._back = front, back
        self.keep: bytes | None = None
        self._mute = False
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self._front)

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        if self._visits:
            await asyncio.wait(self._visits)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)
        there, back = await asyncio.open_connection("127.0.0.1", self._back)
        both = {writer, back}
        self._open |= both
        await asyncio.wait(
            [asyncio.ensure_future(self._asked(reader, back)), asyncio.ensure_future(self._said(there, writer))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for one in both:
            one.transport.abort()
        self._open -= both

    async def _asked(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if self.keep is not None and self.keep in chunk:
                    self._mute = True
                back.write(chunk)
                await back.drain()

    async def _said(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await there.read(65536):
                if not self._mute:
                    writer.write(chunk)
                    await writer.drain()


def make_topic(servers: str, name: str, partitions: int = 1, **settings: str) -> None:
    """Make a topic, ready to be written."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
    for made in admin.create_topics([topic], operation_timeout=PATIENCE).values():
        made.result(PATIENCE)


def records(servers: str, topic: str, partitions: int = 1) -> list[Any]:
    """Return every record that a topic has, by partition and in order."""
    return list(_records(servers, topic, partitions))


def _records(servers: str, topic: str, partitions: int) -> Iterator[Any]:
    from confluent_kafka import Consumer, TopicPartition

    reader = Consumer({"bootstrap.servers": servers, "group.id": "reader", "enable.auto.commit": False, "log_level": 0})
    try:
        for number in range(partitions):
            place = TopicPartition(topic, number, 0)
            _, high = reader.get_watermark_offsets(place, timeout=PATIENCE)
            reader.assign([place])
            at = 0
            while at < high:
                record = reader.poll(PATIENCE)
                assert record is not None, "the broker does not give what it has"
                assert record.error() is None, record.error()
                at = record.offset() + 1
                yield record
    finally:
        reader.close()
