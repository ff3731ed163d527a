"""The recount finds every planted wrong number, and nothing where nothing is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pagerd.adapters.memory.provider import LATER, REFUSED
from pagerd.core.balance import FIELDS, Counts
from pagerd.core.batches import BatchKey
from pagerd.core.policy import OnInvalid
from pagerd.core.requests import Asker
from pagerd.core.states import RecipientState
from pagerd.ledger.recount import recount
from pagerd.ports.store import ExceptionRow

ASKER = Asker(workspace=1, key=b"k" * 16)


async def session(river: Any, closed: bool = False) -> None:
    await river.publish()
    people = [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(30)]
    people[3] = people[1]
    people[28] = {"to": "broken", "data": {"name": "x"}}
    made = await river.admit(people, on_invalid=OnInvalid.SKIP)
    river.provider.say("p4@example.com", REFUSED)
    river.provider.say("p5@example.com", LATER)
    for claim in await river.claim(n=2):
        await river.lane(claim)
    if closed:
        await river.control.cancel(ASKER, made)


async def differences(river: Any) -> dict[str, tuple[int, int]]:
    def look(work: Any) -> Any:
        row = work.sessions.by_number(1)
        reason = 0
        if row.closed_as is not None:
            reason = next(n for n, r in work.reasons.all().items() if r.code == "cancelled")
        return recount(work, row, reason)

    return {d.what: (d.counted, d.recounted) for d in await river.store.read(look)}


@pytest.fixture(params=[False, True], ids=["open", "closed"])
async def closed(request: pytest.FixtureRequest, both_unaudited: Any) -> bool:
    await session(both_unaudited, request.param)
    assert await differences(both_unaudited) == {}
    return bool(request.param)


@pytest.mark.parametrize("field", [f for f in FIELDS if f not in ("delivered", "bounced", "complained")])
async def test_a_wrong_counter_is_found(both_unaudited: Any, closed: bool, field: str) -> None:
    await both_unaudited.store.work(lambda w: w.sessions.count(1, Counts(**{field: 1})))
    found = await differences(both_unaudited)
    assert set(found) == {field}
    assert found[field][0] == found[field][1] + 1


async def test_a_wrong_reason_counter_is_found(both_unaudited: Any, closed: bool) -> None:
    await both_unaudited.store.work(lambda w: w.sessions.count_reason(1, RecipientState.FAILED, 77, 2))
    assert await differences(both_unaudited) == {"reason 77 of failed": (2, 0)}


async def test_a_missing_and_a_spare_row_of_an_exceptional_person_are_found(both_unaudited: Any, closed: bool) -> None:
    spare = ExceptionRow(no=2, idx=4, state=RecipientState.FAILED, reason=77, round=1)
    await both_unaudited.store.work(lambda w: w.batches.except_(1, [spare], [(1, 3)]))
    found = await differences(both_unaudited)
    assert found.pop("rows of failed people with reason 77") == (1, 0)
    ((what, numbers),) = found.items()
    assert "duplicate" in what
    assert numbers == (0, 1)


async def test_a_vector_that_was_changed_behind_the_counters_is_found(both_unaudited: Any, closed: bool) -> None:
    def change(work: Any) -> None:
        old = work.batches.get(BatchKey(1, 1))
        vec = bytes([int(RecipientState.FAILED)]) + old.vec[1:]
        assert work.batches.rewrite(old, msgspec.structs.replace(old, vec=vec))

    await both_unaudited.store.work(change)
    found = await differences(both_unaudited)
    assert found["accepted"][0] == found["accepted"][1] + 1
    assert found["failed"][0] == found["failed"][1] - 1


async def test_a_wrong_total_is_found(both_unaudited: Any, closed: bool) -> None:
    def change(work: Any) -> None:
        work.sessions.save(msgspec.structs.replace(work.sessions.by_number(1), total=29))

    await both_unaudited.store.work(change)
    assert (await differences(both_unaudited))["total"] == (29, 30)
