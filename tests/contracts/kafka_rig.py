"""A Kafka provider, a proxy, and a real broker behind it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from tests.adapters.kafka_channel.broker import ProxiedKafka, Proxy, make_topic, records

from pagerd.adapters.kafka_channel.provider import KafkaProvider
from pagerd.adapters.kafka_channel.settings import KafkaSettings
from pagerd.core.messages import Message
from pagerd.core.outcomes import Outcome
from pagerd.ports.provider import Fence

TOO_LARGE = b'"' + b"x" * 3_000_000 + b'"'
TOO_MUCH = b'"' + b"x" * 1_500_000 + b'"'


class Swapping(KafkaProvider):
    """A broker refuses no address; what it does refuse is put in the place of some people's records."""

    bodies: dict[str, bytes]

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        swapped = [msgspec.structs.replace(m, body=self.bodies.get(m.to, m.body)) for m in messages]
        return await super().send(swapped, fence)


class KafkaRig:
    """One record at a time, so that no more than one is in doubt."""

    def __init__(self, broker: ProxiedKafka, proxy: Proxy, silent: asyncio.Server, waits: asyncio.Event) -> None:
        self._broker, self._proxy, self._silent, self._waits = broker, proxy, silent, waits
        self._topic = f"told-{secrets.token_hex(6)}"
        self._made: list[Swapping] = []
        make_topic(broker.inner_servers, self._topic)
        self.provider = self._speaking_to(broker.front)

    def told(self) -> list[str]:
        return [record.key().decode() for record in records(self._broker.inner_servers, self._topic)]

    def refuse(self, to: str) -> None:
        self.provider.bodies[to] = TOO_LARGE

    def fail(self, to: str) -> None:
        self.provider.bodies[to] = TOO_MUCH

    def lose_answer(self, to: str) -> None:
        self._proxy.keep = to.encode()

    def hold(self, to: str) -> None:
        self.provider = self._speaking_to(self._silent.sockets[0].getsockname()[1])

    async def held(self) -> None:
        await self._waits.wait()

    async def down(self) -> None:
        await self._proxy.aclose()

    async def aclose(self) -> None:
        for provider in self._made:
            await provider.aclose()

    def _speaking_to(self, port: int) -> Swapping:
        settings = KafkaSettings(
            servers=f"127.0.0.1:{port}",
            topic=self._topic,
            unanswered=1,
            max_record_bytes=2_000_000,
            queue_bytes=1_000_000,
            connect_timeout=2.0,
            answer_timeout=2.0,
        )
        self._made.append(Swapping("records", settings))
        self._made[-1].bodies = {}
        return self._made[-1]


@asynccontextmanager
async def kafka(broker: ProxiedKafka) -> AsyncIterator[KafkaRig]:
    proxy = Proxy(broker.front, broker.port)
    await proxy.start()
    waits, over = asyncio.Event(), asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waits.set()
        await over.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    rig = KafkaRig(broker, proxy, silent, waits)
    yield rig
    await rig.aclose()
    over.set()
    silent.close()
    await proxy.aclose()
