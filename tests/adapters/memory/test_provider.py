"""The provider that delivers to a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pagerd.adapters.memory.provider import LATER, LOST_ANSWER, LOST_MESSAGE, REFUSED, Answer, MemoryProvider
from pagerd.adapters.memory.time import HandClock
from pagerd.core.errors import Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass
from pagerd.core.policy import Channel
from pagerd.ports.provider import Limits, Provider

F = FailureClass


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider(HandClock())


def messages(*names: str) -> list[Message]:
    return [
        Message(place=place, to=f"{name}@example.com", sender="shop@example.com", key=f"k{place}", body=b"Hello")
        for place, name in enumerate(names)
    ]


def standing() -> bool:
    return True


def fall_after(n: int) -> Callable[[], bool]:
    """A fence that lets ``n`` messages through."""
    answers = iter([True] * n)
    return lambda: next(answers, False)


def test_it_is_a_provider_with_a_name_and_limits() -> None:
    made: Provider = MemoryProvider(HandClock(), name="mail", channel=Channel.SMS, limits=Limits(batch=7))
    assert (made.name, made.channel, made.limits.batch) == ("mail", Channel.SMS, 7)


async def test_every_message_arrives_whole_and_in_order(provider: MemoryProvider) -> None:
    said = await provider.send(messages("ada", "bob"), standing)
    assert [(o.place, o.kind, o.told) for o in said] == [(0, F.OK, True), (1, F.OK, True)]
    assert provider.arrived == messages("ada", "bob")
    assert said[0].reference != said[1].reference


async def test_nothing_to_send_says_nothing(provider: MemoryProvider) -> None:
    assert await provider.send([], standing) == []


async def test_an_address_answers_as_it_was_told_and_then_all_is_well(provider: MemoryProvider) -> None:
    slow = Answer(kind=F.THROTTLED, code="451 4.7.0", retry_after=30.0, arrives=False)
    provider.say("ada@example.com", slow, REFUSED)
    kinds = [(await provider.send(messages("ada"), standing))[0] for _ in range(3)]
    assert [o.kind for o in kinds] == [F.THROTTLED, F.PERMANENT_ADDRESS, F.OK]
    assert kinds[0].retry_after == 30.0
    assert len(provider.arrived) == 1


async def test_a_neighbour_is_not_touched_by_a_refusal(provider: MemoryProvider) -> None:
    provider.say("bob@example.com", LATER)
    said = await provider.send(messages("ada", "bob", "eve"), standing)
    assert [o.kind for o in said] == [F.OK, F.TRANSIENT, F.OK]
    assert [m.to for m in provider.arrived] == ["ada@example.com", "eve@example.com"]


@pytest.mark.parametrize(("answer", "arrived"), [(LOST_ANSWER, 1), (LOST_MESSAGE, 0)])
async def test_a_doubt_may_or_may_not_have_arrived(provider: MemoryProvider, answer: Answer, arrived: int) -> None:
    provider.say("ada@example.com", answer)
    (said,) = await provider.send(messages("ada"), standing)
    assert said.kind is F.IN_DOUBT
    assert len(provider.arrived) == arrived


async def test_a_fallen_fence_stops_before_the_message(provider: MemoryProvider) -> None:
    said = await provider.send(messages("ada", "bob", "eve"), fall_after(1))
    assert [o.kind for o in said] == [F.OK, F.NOT_SENT, F.NOT_SENT]
    assert len(provider.arrived) == 1


async def test_cancelled_between_messages_it_says_what_it_knows(provider: MemoryProvider) -> None:
    provider.gate.clear()
    sending = asyncio.create_task(provider.send(messages("ada", "bob"), standing))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sending.cancel()
    said = await sending
    assert [o.kind for o in said] == [F.NOT_SENT, F.NOT_SENT]
    assert provider.arrived == []


async def test_a_provider_that_is_down_sends_nothing_and_says_so(provider: MemoryProvider) -> None:
    await provider.ping()
    provider.down = "535 5.7.8 wrong password"
    with pytest.raises(Unavailable, match=r"5\.7\.8"):
        await provider.ping()
    (said,) = await provider.send(messages("ada"), standing)
    assert (said.kind, said.told) == (F.TRANSIENT, False)
    assert provider.arrived == []


async def test_closing_twice_is_harmless(provider: MemoryProvider) -> None:
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(Unavailable):
        await provider.ping()
