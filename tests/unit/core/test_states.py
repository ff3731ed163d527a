"""The three state machines: every arrow of the drawings, and no other."""

from __future__ import annotations

import itertools
from enum import Enum
from typing import Any

import pytest

from pagerd.core.errors import WrongState
from pagerd.core.states import (
    EXCEPTIONAL,
    FINISHED_BATCH,
    FINISHED_SESSION,
    NOT_TOLD,
    TO_GO,
    UNSETTLED,
    WITHHELD,
    BatchState,
    RecipientState,
    SessionState,
    may_move,
    moved,
)

SESSION = """
staging: ready scheduled running cancelled expired completed completed_with_failures failed
scheduled: ready running paused cancelled expired
ready: running paused cancelled expired
running: paused completed completed_with_failures failed cancelled expired
paused: ready running scheduled completed completed_with_failures failed cancelled expired
completed: running completed_with_failures failed
completed_with_failures: running failed
failed: running
cancelled: running
expired: running
"""
BATCH = """
ready: claimed cancelled expired succeeded failed
waiting: claimed cancelled expired dead failed succeeded
claimed: claimed dispatching waiting succeeded failed dead cancelled expired
dispatching: claimed waiting succeeded failed dead cancelled expired
succeeded: waiting
failed: waiting
dead: waiting
cancelled: waiting
expired: waiting
"""
RECIPIENT = """
pending: sending suppressed duplicate rejected expired cancelled failed deferred unknown
deferred: pending sending expired cancelled rejected failed suppressed unknown
sending: accepted failed deferred in_doubt pending expired unknown
in_doubt: accepted pending unknown
accepted:
failed: pending
suppressed: pending
duplicate:
rejected: pending
unknown: pending
expired: pending
cancelled: pending
"""


def arrows(drawing: str) -> dict[str, set[str]]:
    return {line.partition(":")[0]: set(line.partition(":")[2].split()) for line in drawing.strip().splitlines()}


def pairs() -> list[Any]:
    found = []
    for kind, drawing in ((SessionState, SESSION), (BatchState, BATCH), (RecipientState, RECIPIENT)):
        drawn = arrows(drawing)
        assert set(drawn) == {state.name.lower() for state in kind}
        for old, new in itertools.product(kind, kind):
            allowed = new.name.lower() in drawn[old.name.lower()]
            found.append(pytest.param(old, new, allowed, id=f"{kind.__name__}-{old.name}-{new.name}"))
    return found


@pytest.mark.parametrize(("old", "new", "allowed"), pairs())
def test_every_arrow_is_drawn_or_refused(old: Any, new: Any, allowed: bool) -> None:
    assert may_move(old, new) == allowed
    if allowed:
        assert moved(old, new) is new
        return
    with pytest.raises(WrongState) as refused:
        moved(old, new)
    assert refused.value.current == old.name.lower()
    assert new.name.lower() in str(refused.value)


def test_nobody_who_was_told_is_ever_told_again() -> None:
    assert not any(may_move(RecipientState.ACCEPTED, state) for state in RecipientState)


def test_the_groups_of_states_divide_them() -> None:
    groups = [TO_GO, {RecipientState.IN_DOUBT}, WITHHELD, NOT_TOLD, {RecipientState.ACCEPTED}]
    assert sorted(itertools.chain(*groups)) == sorted(RecipientState)
    assert TO_GO | {RecipientState.IN_DOUBT} == UNSETTLED
    assert {RecipientState.ACCEPTED, RecipientState.PENDING, RecipientState.SENDING}.isdisjoint(EXCEPTIONAL)


@pytest.mark.parametrize(
    ("kind", "finished"), [(SessionState, FINISHED_SESSION), (BatchState, FINISHED_BATCH)], ids=["session", "batch"]
)
def test_from_anywhere_there_is_a_way_to_an_end(kind: type[Enum], finished: frozenset[Any]) -> None:
    for start in kind:
        seen, todo = {start}, [start]
        while todo:
            old = todo.pop()
            for new in kind:
                if may_move(old, new) and new not in seen:  # type: ignore[type-var]
                    seen.add(new)
                    todo.append(new)
        assert seen & finished


def test_numbers_in_stored_vectors_never_change() -> None:
    assert [state.word for state in RecipientState] == [
        "pending", "deferred", "sending", "in_doubt", "accepted", "failed", "suppressed", "duplicate", "rejected",
        "unknown", "expired", "cancelled",
    ]  # fmt: skip
    assert [state.word for state in BatchState] == [
        "ready", "waiting", "claimed", "dispatching", "succeeded", "failed", "dead", "cancelled", "expired",
    ]  # fmt: skip
