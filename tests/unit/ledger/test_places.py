"""Payloads, records and specs open in the place they were made for and nowhere else; reasons keep their numbers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pagerd.adapters.memory.keys import MemoryKeyRing, MemoryKeyStore
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import HandClock
from pagerd.core import cells
from pagerd.core.batches import BatchKey, Claim
from pagerd.core.cells import Cell
from pagerd.core.errors import SealBroken, WrongState
from pagerd.core.outcomes import FailureClass, Outcome, Reason, ReasonClass
from pagerd.core.policy import Channel, SessionSpec
from pagerd.core.recipients import Recipient
from pagerd.core.states import BatchState, RecipientState
from pagerd.ledger import payloads, reasons, records, specs
from pagerd.ledger.book import BatchPage
from pagerd.ledger.views import instant, masked
from pagerd.seal.hierarchy import Seal

ONE, TWO = b"1" * 16, b"2" * 16
PEOPLE = [Recipient("Ada@Example.com", "ada@example.com", 7, {"n": 1, "l": ["x", None]}, id="c-1", locale="de")]


@pytest.fixture
async def seal() -> Seal:
    return await Seal.open(MemoryKeyRing(), MemoryKeyStore(), HandClock(), 1)


async def test_a_payload_opens_in_its_own_place_only(seal: Seal) -> None:
    key, other = await seal.new_session_key(), await seal.new_session_key()
    blob = payloads.sealed(key, ONE, payloads.place(3, 4), PEOPLE)
    assert payloads.opened(key, ONE, payloads.place(3, 4), blob) == PEOPLE
    for wrong_key, session, at in (
        (other, ONE, (3, 4)),
        (key, TWO, (3, 4)),
        (key, ONE, (4, 3)),
        (key, ONE, (3, 5)),
        (key, ONE, (0, 4)),
    ):
        with pytest.raises(SealBroken):
            payloads.opened(wrong_key, session, payloads.place(*at), blob)


async def test_a_record_opens_for_its_batch_claim_and_window_only(seal: Seal) -> None:
    key = await seal.new_session_key()
    said = [
        Outcome(
            place=2, kind=FailureClass.OK, code="250", text="ok ada@example.com", reference="r", started=1.5, ended=2.5
        )
    ]
    blob = records.sealed(key, ONE, records.place(1, 2, 3), 4, 5, said)
    record = records.opened(key, ONE, records.place(1, 2, 3), blob)
    assert (record.round, record.provider) == (4, 5)
    assert record.said == [records.Said(2, "ok", "250", "ok ada@example.com", "r", 1.5, 2.5)]
    for at in itertools.permutations((1, 2, 3)):
        if at != (1, 2, 3):
            with pytest.raises(SealBroken):
                records.opened(key, ONE, records.place(*at), blob)
    with pytest.raises(SealBroken):
        payloads.opened(key, ONE, records.place(1, 2, 3), blob)


async def test_a_spec_opens_for_its_session_only(seal: Seal) -> None:
    key = await seal.new_session_key()
    spec = SessionSpec(
        template="t", version=1, channel=Channel.EMAIL, sender="a@example.com", batch_size=5, data={"x": 1}
    )
    blob = specs.sealed(key, ONE, spec)
    assert specs.opened(key, ONE, blob) == spec
    with pytest.raises(SealBroken):
        specs.opened(key, TWO, blob)


async def test_two_payloads_swapped_in_the_store_are_found_out(river: Any) -> None:
    await river.publish()
    session = await river.admit(10)
    table = river.store.tables.parts._payloads
    rows = table._rows
    rows[1, 0, 1], rows[1, 0, 2] = rows[1, 0, 2], rows[1, 0, 1]

    def unmade(seq: int, to: int) -> None:
        import msgspec

        from pagerd.ports.store import Payload

        payload = msgspec.msgpack.decode(rows[1, 0, to], type=Payload)
        rows[1, 0, to] = msgspec.msgpack.encode(msgspec.structs.replace(payload, seq=seq))

    unmade(1, 1)
    unmade(2, 2)
    await river.work()
    view = await river.view(session)
    assert river.provider.arrived == []
    assert view.outcomes["rejected"] == 10
    assert view.reasons[0].code == "seal_broken"


# -- the book of reasons ----------------------------------------------------------------------------------------


async def test_a_reason_has_one_number_for_ever_and_for_everybody() -> None:
    store = MemoryStore()
    one, two = reasons.ReasonBook(store), reasons.ReasonBook(store)
    refused = Reason(ReasonClass.PERMANENT_ADDRESS, "550 5.1.1")
    number = await one.number(refused)
    assert number == await one.number(refused) == await two.number(refused)
    assert await two.reason(number) == refused
    assert number != await one.number(Reason(ReasonClass.PERMANENT_CONTENT, "550 5.1.1"))
    assert await one.reason(0) is None
    assert await one.reason(999) is None
    assert await two.where("permanent_address", None) == [number]
    assert set(await two.where(None, "550 5.1.1")) == {1, 2}
    assert await two.where("expired", None) == []


async def test_a_known_reason_costs_no_transaction() -> None:
    store = MemoryStore()
    book = reasons.ReasonBook(store)
    await book.number(Reason(ReasonClass.EXPIRED, "x"))
    before = store.version
    await book.number(Reason(ReasonClass.EXPIRED, "x"))
    assert store.version == before


async def test_a_peer_that_invents_codes_without_end_gets_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasons, "_MOST", 5)
    store = MemoryStore()
    book, calls, work = reasons.ReasonBook(store), 0, store.work

    async def counting(change: Any) -> Any:
        nonlocal calls
        calls += 1
        return await work(change)

    store.work = counting  # type: ignore[method-assign]
    numbers = [await book.number(Reason(ReasonClass.TRANSIENT, f"4{i}")) for i in range(100)]
    assert len(set(numbers)) == 6
    assert await book.reason(numbers[-1]) == Reason(ReasonClass.TRANSIENT, "other")
    assert calls == 6, "and does not cost a transaction each time"


# -- a worker's page, and small words ---------------------------------------------------------------------------


def test_a_page_s_write_is_what_changed_since_the_last_one() -> None:
    claim = Claim(
        key=BatchKey(1, 2), token=3, vec=cells.fresh(3), payload=b"", payload_at=b"", losses=0, round=1,
        state=BatchState.CLAIMED,
    )  # fmt: skip
    page = BatchPage(claim)
    page.put(0, Cell(state=RecipientState.SENDING, attempt=1))
    first = page.write(BatchState.DISPATCHING, needs_running=True)
    page.back()
    assert page.cells == (Cell(),) * 3
    page.put(0, Cell(state=RecipientState.SENDING, attempt=1))
    assert page.write(BatchState.DISPATCHING, needs_running=True) == first
    page.written(first)
    page.put(0, Cell(state=RecipientState.FAILED, attempt=1, code=9))
    page.put(1, Cell(state=RecipientState.DEFERRED, attempt=1, code=8, not_before=77))
    second = page.write(BatchState.WAITING, attempt=b"x", run_at=77.0)
    assert (second.window, page.window, page.due(), page.settled) == (0, 0, 77, False)
    assert [(e.idx, e.state, e.reason) for e in second.enter] == [
        (0, RecipientState.FAILED, 9),
        (1, RecipientState.DEFERRED, 8),
    ]
    page.written(second)
    assert page.window == 1
    assert page.places(RecipientState.PENDING, RecipientState.FAILED) == (0, 2)
    third = page.write(BatchState.WAITING)
    assert (third.enter, third.leave, third.reasons, set(third.counts)) == ((), (), (), {0})


def test_a_page_moves_whole_windows() -> None:
    claim = Claim(
        key=BatchKey(1, 2), token=3, vec=cells.fresh(3), payload=b"", payload_at=b"", losses=0, round=1,
        state=BatchState.CLAIMED,
    )  # fmt: skip
    page = BatchPage(claim)
    page.put(1, Cell(flags=cells.POSSIBLE_DUPLICATE, attempt=255))
    page.intend((0, 1), 7)
    assert page.cells == (
        Cell(RecipientState.SENDING, 0, 1, 7),
        Cell(RecipientState.SENDING, cells.POSSIBLE_DUPLICATE, 255, 7),
        Cell(),
    )
    page.accept((1,))
    assert page.cells[1] == Cell(RecipientState.ACCEPTED, cells.POSSIBLE_DUPLICATE, 255, 7)
    assert (page.settled, page.places(RecipientState.SENDING)) == (False, (0,))
    with pytest.raises(WrongState):
        page.accept((2,))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.com", "a…@example.com"),
        ("@x", "…@x"),
        ("+4915112345678", "+4…"),
        ("", "…"),
        ("ä@b@c.de", "ä…@c.de"),
    ],
)
def test_masks(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_instants_are_utc_with_milliseconds() -> None:
    assert instant(1_800_000_000.0625) == "2027-01-15T08:00:00.062Z"
    assert instant(None) is None
