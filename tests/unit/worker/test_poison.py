"""Poison: what kills whoever composes it is composed alone, and is dead after five losses while others are told."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pagerd.core.batches import BatchKey
from pagerd.core.policy import Channel, OnDoubt, SessionSpec
from pagerd.core.recipients import Recipient
from pagerd.core.requests import Asker, Redrive
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.worker import solo
from pagerd.worker.compose import Person

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
BOMB = "Hello {{ " + " ~ ".join(["name * width"] * 9) + " }}"
"""The engine repeats a text up to 100 million times: nine of them are more than a child may have."""
VARIABLES = [{"name": "name", "required": True}, {"name": "width", "default": 1}]


async def lose(river: Any, worker: bytes, times: int) -> None:
    """Let workers die over everything that can be claimed."""
    for n in range(times):
        river.clock.advance(2)
        assert await river.claim(worker + b"%d" % n)
        await river.reclaim(worker)


async def test_a_bomb_is_dead_after_five_losses_and_its_neighbours_are_told(both: Any) -> None:
    await both.publish(text=BOMB, variables=VARIABLES)
    people = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(8)]
    people[1]["data"]["width"] = 49_000_000
    session = await both.admit(people, batch_size=4)
    await lose(both, b"dying", 2)
    for _ in range(4):
        await both.work(b"dying")
        await both.audit()
        both.clock.advance(1.5)
    row = await both.store.read(lambda w: w.batches.get(BatchKey(1, 1)))
    assert (row.state.word, row.losses) == ("dead", 5)
    view = await both.view(session)
    assert (view.told, view.outcomes["failed"], view.state) == (4, 4, "completed_with_failures")
    (reason,) = view.reasons
    assert (reason.reason_class, reason.retryable) == ("poison", True)
    assert [d.state.word for d in both.watch.done if d.no == 1] == ["waiting", "waiting", "dead"]
    await both.control.redrive(ASKER, session, Redrive())
    await both.chores()
    row = await both.store.read(lambda w: w.batches.get(BatchKey(1, 1)))
    assert (row.state.word, row.losses) == ("waiting", 0), "it can be redriven"
    await both.control.cancel(ASKER, session)
    await both.chores()


@pytest.mark.parametrize("policy", [OnDoubt.RESEND, OnDoubt.HOLD])
async def test_lost_after_the_intent_its_doubts_end_unknown_when_it_is_dead(
    both: Any, rivers: Any, policy: OnDoubt
) -> None:
    await both.publish()
    session = await both.admit(2, on_doubt=policy)
    for n in range(5):
        both.clock.advance(2)
        claims = await both.claim(b"dying%d" % n)
        if not claims:
            break
        both.points.kill("K7")
        with pytest.raises((rivers.Killed, AssertionError)):
            await both.lane(claims[0], both.tools(both.ledger(b"dying%d" % n)))
            raise AssertionError("nothing was left to send")
        await both.reclaim(b"next%d" % n)
        await both.audit()
    view = await both.view(session)
    assert both.provider.arrived == []
    assert view.outcomes["unknown"] == 2
    assert view.state == "failed"


async def test_a_lost_batch_that_is_well_is_told_alone(both: Any) -> None:
    await both.publish(subject="For {{ name }}")
    session = await both.admit(3)
    await lose(both, b"dying", 2)
    await both.work(b"dying")
    assert (await both.view(session)).told == 3
    assert b"Subject: For N2" in both.provider.arrived[2].body


def job(width: int) -> tuple[TemplateDraft, SessionSpec, list[Person]]:
    draft = TemplateDraft(variants=[Variant(channel=Channel.EMAIL, subject="Hi", text="{% set name = 'x' %}" + BOMB)])
    spec = SessionSpec(template="t", version=1, channel=Channel.EMAIL, sender="a@example.com", batch_size=5)
    return draft, spec, [Person(3, "rcp_x", Recipient("b@example.com", "b@example.com", 1, {"width": width}))]


async def test_the_child_composes_what_the_parent_would() -> None:
    composed = await solo.compose_alone(*job(2), 1_800_000_000.0)
    assert composed is not None
    ((message,), refusals) = composed.messages, composed.refusals
    assert (message.place, message.to, message.key) == (3, "b@example.com", "rcp_x@example.com")
    assert refusals == []


async def test_the_child_has_limits_that_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await solo.compose_alone(*job(99_000_000), 0.0) is None


async def test_a_child_that_never_answers_is_given_up_and_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\necho $$ > " + str(tmp_path / "pid") + "\nexec sleep 600\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(solo, "_PATIENCE", 0.5)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    assert await solo.compose_alone(*job(1), 0.0) is None
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        __import__("os").kill(pid, 0)


async def test_the_child_does_not_read_programs_from_the_folder_it_is_started_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert await solo.compose_alone(*job(2), 0.0) is not None
