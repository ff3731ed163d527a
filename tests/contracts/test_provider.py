"""What every provider promises; an adapter joins with one line in ``PROVIDERS``.

A rig is a provider and the world behind it, which can be told how to treat an address, and knows whom it told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

import pytest
from tests.adapters.kafka_channel.broker import ProxiedKafka, proxied
from tests.contracts.kafka_rig import kafka
from tests.contracts.sms_rig import sms

from pagerd.adapters.memory.provider import LATER, LOST_ANSWER, REFUSED, MemoryProvider
from pagerd.adapters.memory.time import HandClock
from pagerd.adapters.smtp.provider import SmtpProvider
from pagerd.adapters.smtp.settings import SmtpSettings
from pagerd.core.errors import Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.core.policy import Channel
from pagerd.ports.provider import Provider

NOT_SENT: Final = frozenset({FailureClass.TRANSIENT, FailureClass.NOT_SENT, FailureClass.THROTTLED})
PERMANENT: Final = frozenset({FailureClass.PERMANENT_ADDRESS, FailureClass.PERMANENT_CONTENT})


class Rig(Protocol):
    """A provider, and the world as it is for this test."""

    provider: Provider

    def told(self) -> list[str]:
        """Return the addresses that were told, in order, as often as they were."""
        ...

    def refuse(self, to: str) -> None:
        """Refuse this address for good."""
        ...

    def fail(self, to: str) -> None:
        """Break before the last byte of the message for this address."""
        ...

    def lose_answer(self, to: str) -> None:
        """Take the message for this address over, and never say so."""
        ...

    def hold(self, to: str) -> None:
        """Make the message for this address wait, before its last byte."""
        ...

    async def held(self) -> None:
        """Return when a message waits."""
        ...

    async def down(self) -> None:
        """Be away from now on."""
        ...


class MailRig:
    """A small mail server: the plainest one that a pipelining client can talk to."""

    def __init__(self, server: asyncio.Server, ways: dict[str, str], told: list[str], waits: asyncio.Event) -> None:
        self._server, self._ways, self._told, self._waits = server, ways, told, waits
        port = server.sockets[0].getsockname()[1]
        self.provider: Provider = SmtpProvider("mail", SmtpSettings(url=f"smtp://127.0.0.1:{port}", connections=4))

    def told(self) -> list[str]:
        return self._told

    def refuse(self, to: str) -> None:
        self._ways[to] = "refuse"

    def fail(self, to: str) -> None:
        self._ways[to] = "fail"

    def lose_answer(self, to: str) -> None:
        self._ways[to] = "lose"

    def hold(self, to: str) -> None:
        self._ways[to] = "hold"

    async def held(self) -> None:
        await self._waits.wait()

    async def down(self) -> None:
        self._server.close()


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    ways: dict[str, str],
    told: list[str],
    waits: asyncio.Event,
) -> None:
    """Talk to one client until it goes or is to be left."""
    writer.write(b"220 peer.example\r\n")
    to = ""
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"EHLO":
            writer.write(b"250-peer.example\r\n250 PIPELINING\r\n")
        elif verb == b"RCPT":
            to = line.decode().partition("<")[2].partition(">")[0]
            way = ways.get(to, "")
            if way == "fail":
                return
            if way == "hold":
                waits.set()
                await reader.read()
                return
            writer.write(b"550 5.1.1 nobody\r\n" if way == "refuse" else b"250 2.1.5 Ok\r\n")
            to = "" if way == "refuse" else to
        elif verb == b"DATA" and not to:
            writer.write(b"554 5.5.1 nobody\r\n")
        elif verb == b"DATA":
            writer.write(b"354 go\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            told.append(to)
            if ways.get(to) == "lose":
                return
            writer.write(b"250 2.0.0 Ok: queued as 1\r\n")
        else:
            writer.write(b"250 2.0.0 Ok\r\n")


@asynccontextmanager
async def smtp() -> AsyncIterator[Rig]:
    ways: dict[str, str] = {}
    told: list[str] = []
    waits = asyncio.Event()
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        try:
            await _serve(reader, writer, ways, told, waits)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    rig = MailRig(server, ways, told, waits)
    yield rig
    await rig.provider.aclose()
    server.close()
    await asyncio.gather(*visits)


class MemoryRig:
    """The memory double, for it must keep the same promises."""

    def __init__(self) -> None:
        self._double = MemoryProvider(HandClock())
        self.provider: Provider = self._double

    def told(self) -> list[str]:
        return [message.to for message in self._double.arrived]

    def refuse(self, to: str) -> None:
        self._double.say(to, REFUSED)

    def fail(self, to: str) -> None:
        self._double.say(to, LATER)

    def lose_answer(self, to: str) -> None:
        self._double.say(to, LOST_ANSWER)

    def hold(self, to: str) -> None:
        self._double.gate.clear()

    async def held(self) -> None:
        for _ in range(5):  # nothing but the event loop lies between
            await asyncio.sleep(0)

    async def down(self) -> None:
        self._double.down = "away"


@asynccontextmanager
async def memory() -> AsyncIterator[Rig]:
    rig = MemoryRig()
    yield rig
    await rig.provider.aclose()


PROVIDERS: dict[str, Callable[..., AbstractAsyncContextManager[Rig]]] = {
    "memory": memory,
    "smtp": smtp,
    "sms": sms,
    "kafka": kafka,
}
PEERS: Final = {"kafka": "proxied_kafka"}
"""The fixture with the server that a rig needs."""


@pytest.fixture(scope="module")
def proxied_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKafka]:
    with proxied(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(params=PROVIDERS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    peers = [request.getfixturevalue(PEERS[request.param])] if request.param in PEERS else []
    async with PROVIDERS[request.param](*peers) as rig:
        yield rig


def batch(count: int = 4, lane: str = "p") -> list[Message]:
    """Messages whose places are not their indices, as in the remainder of a batch."""
    return [
        Message(
            place=3 * index + 1,
            to=f"{lane}{index}@example.com",
            sender="shop@shop.example",
            key=f"{lane}{index}",
            body=b"Subject: x\r\n\r\n%d\r\n" % index,
        )
        for index in range(count)
    ]


def kinds(messages: list[Message], outcomes: list[Outcome]) -> list[FailureClass]:
    """Check what always holds: one outcome each, in order, with times; return the classes."""
    assert [outcome.place for outcome in outcomes] == [message.place for message in messages]
    assert all(outcome.started <= outcome.ended for outcome in outcomes)
    assert all(outcome.code for outcome in outcomes if not outcome.told)
    return [outcome.kind for outcome in outcomes]


async def test_it_says_who_it_is(world: Rig) -> None:
    assert world.provider.name
    assert world.provider.channel in Channel
    assert world.provider.limits.batch >= 1
    assert world.provider.limits.connections >= 1


async def test_everybody_is_told_once_and_in_order(world: Rig) -> None:
    messages = batch()
    assert kinds(messages, await world.provider.send(messages, lambda: True)) == [FailureClass.OK] * 4
    assert world.told() == [message.to for message in messages]


async def test_nobody_to_tell(world: Rig) -> None:
    assert await world.provider.send([], lambda: True) == []
    assert world.told() == []


async def test_one_is_refused_and_its_neighbours_are_told(world: Rig) -> None:
    messages = batch()
    world.refuse(messages[1].to)
    first, refused, *rest = kinds(messages, await world.provider.send(messages, lambda: True))
    assert refused in PERMANENT
    assert [first, *rest] == [FailureClass.OK] * 3
    assert world.told() == [messages[0].to, messages[2].to, messages[3].to]


async def test_before_the_last_byte_a_failure_is_not_sent(world: Rig) -> None:
    messages = batch()
    world.fail(messages[1].to)
    found = kinds(messages, await world.provider.send(messages, lambda: True))
    assert found[1] in NOT_SENT
    assert FailureClass.IN_DOUBT not in found
    assert world.told() == [m.to for m, kind in zip(messages, found, strict=True) if kind is FailureClass.OK]


async def test_after_the_last_byte_an_unread_answer_is_a_doubt_and_the_only_one(world: Rig) -> None:
    messages = batch()
    world.lose_answer(messages[1].to)
    found = kinds(messages, await world.provider.send(messages, lambda: True))
    assert found[:2] == [FailureClass.OK, FailureClass.IN_DOUBT]
    assert FailureClass.IN_DOUBT not in found[2:]
    told = {FailureClass.OK, FailureClass.IN_DOUBT}
    assert world.told() == [m.to for m, kind in zip(messages, found, strict=True) if kind in told]


async def test_a_fallen_fence_lets_nothing_out(world: Rig) -> None:
    messages = batch()
    found = kinds(messages, await world.provider.send(messages, lambda: False))
    assert found == [FailureClass.NOT_SENT] * 4
    assert world.told() == []


async def test_a_fence_that_falls_midway_keeps_the_rest_in(world: Rig) -> None:
    messages, answers = batch(), [True, True, False, False, False]
    found = kinds(messages, await world.provider.send(messages, lambda: answers.pop(0)))
    assert found == [FailureClass.OK] * 2 + [FailureClass.NOT_SENT] * 2
    assert world.told() == [messages[0].to, messages[1].to]


async def test_cancelled_it_returns_what_is_known(world: Rig) -> None:
    messages = batch()
    world.hold(messages[0].to)
    task = asyncio.ensure_future(world.provider.send(messages, lambda: True))
    await world.held()
    task.cancel()
    assert kinds(messages, await task) == [FailureClass.NOT_SENT] * 4
    assert world.told() == []


async def test_many_lanes_at_once(world: Rig) -> None:
    batches = [batch(5, f"lane{n}.") for n in range(20)]
    every = await asyncio.gather(*(world.provider.send(messages, lambda: True) for messages in batches))
    for messages, outcomes in zip(batches, every, strict=True):
        assert kinds(messages, outcomes) == [FailureClass.OK] * 5
    assert sorted(world.told()) == sorted(message.to for messages in batches for message in messages)


async def test_a_world_that_is_away(world: Rig) -> None:
    messages = batch()
    await world.down()
    found = kinds(messages, await world.provider.send(messages, lambda: True))
    assert set(found) <= NOT_SENT
    assert found[0] is not FailureClass.NOT_SENT, "nobody's fault but the provider's: it must count"
    with pytest.raises(Unavailable) as caught:
        await world.provider.ping()
    assert caught.value.detail


async def test_a_world_that_is_there_answers_a_ping(world: Rig) -> None:
    await world.provider.ping()
    assert world.told() == []


async def test_closed_twice_it_sends_nothing_and_raises_nothing(world: Rig) -> None:
    await world.provider.aclose()
    await world.provider.aclose()
    messages = batch()
    assert set(kinds(messages, await world.provider.send(messages, lambda: True))) <= NOT_SENT
    assert world.told() == []
