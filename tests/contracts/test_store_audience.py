"""What every store promises of parts, payloads and the blind index."""

from __future__ import annotations

import struct

from pagerd.ports.store import Address, PartRow, Payload, Store, Work


def _part(part: int, block: int, batches: int = 2, base: int | None = None, session: int = 1) -> PartRow:
    return PartRow(
        session=session,
        part=part,
        block=block,
        recipients=batches * 5,
        batches=batches,
        flaws=1,
        flawed=b"\x90",
        digest=b"d" * 32,
        received_at=1.5,
        base=base,
    )


def _payload(block: int, seq: int) -> Payload:
    return Payload(block=block, seq=seq, n=5, blob=b"\0" + bytes((block, seq)))


async def test_an_unknown_part_is_none(store: Store) -> None:
    assert await store.read(lambda w: (w.parts.get(1, 1), w.parts.all(1), w.parts.payload(1, 1))) == (None, [], None)


async def test_parts_come_back_whole_in_order_of_their_number(store: Store) -> None:
    rows = [_part(10, 7), _part(2, 8, base=4), _part(1, 9)]
    for row in (*rows, _part(1, 3, session=2)):
        assert await store.work(lambda w, row=row: w.parts.put(row)) is None
    assert await store.read(lambda w: w.parts.all(1)) == [rows[2], rows[1], rows[0]]
    assert await store.read(lambda w: w.parts.get(1, 2)) == rows[1]


async def test_a_part_put_again_replaces_the_first_and_names_its_block(store: Store) -> None:
    await store.work(lambda w: w.parts.put(_part(1, 7)))
    assert await store.work(lambda w: w.parts.put(_part(1, 8, batches=3))) == 7
    assert await store.work(lambda w: w.parts.put(_part(1, 8, batches=3))) is None
    assert await store.read(lambda w: w.parts.all(1)) == [_part(1, 8, batches=3)]


async def test_a_session_without_parts_has_its_payloads_in_block_zero(store: Store) -> None:
    payloads = [_payload(0, seq) for seq in (1, 2, 3)]
    await store.work(lambda w: w.parts.add_payloads(1, payloads))
    await store.work(lambda w: w.parts.add_payloads(1, []))
    assert await store.read(lambda w: [w.parts.payload(1, no) for no in range(5)]) == [None, *payloads, None]
    assert await store.read(lambda w: w.parts.payload(2, 1)) is None


async def test_a_batch_finds_its_payload_through_the_base_of_its_part(store: Store) -> None:
    """Parts were received out of order, and the middle one is empty."""

    def upload(work: Work) -> None:
        for row in (_part(3, 21, batches=3), _part(1, 22), _part(2, 23, batches=0)):
            work.parts.put(row)
            work.parts.add_payloads(1, [_payload(row.block, seq) for seq in range(1, row.batches + 1)])
        work.parts.number(1, [(1, 0), (2, 2), (3, 2)])

    await store.work(upload)
    found = await store.read(lambda w: [w.parts.payload(1, no) for no in range(1, 7)])
    expected = [_payload(22, 1), _payload(22, 2), _payload(21, 1), _payload(21, 2), _payload(21, 3), None]
    assert found == expected
    assert [row.base for row in await store.read(lambda w: w.parts.all(1))] == [0, 2, 2]


async def test_numbering_an_unknown_part_is_harmless(store: Store) -> None:
    await store.work(lambda w: w.parts.number(1, [(9, 0)]))
    assert await store.read(lambda w: w.parts.all(1)) == []


async def test_a_block_is_dropped_in_steps(store: Store) -> None:
    def upload(work: Work) -> None:
        work.parts.add_payloads(1, [_payload(7, seq) for seq in range(1, 6)] + [_payload(8, 1)])
        work.parts.add_addresses(1, 7, b"a" * 16)
        work.parts.add_addresses(1, 8, b"b" * 16)

    await store.work(upload)
    dropped = []
    while not dropped or dropped[-1]:
        dropped.append(await store.work(lambda w: w.parts.drop_block(1, 7, 2)))
    assert all(n <= 2 for n in dropped)
    assert sum(dropped) >= 5
    assert await store.read(lambda w: (w.parts.addresses(1, 7), w.parts.addresses(1, 8))) == (b"", b"b" * 16)
    assert await store.work(lambda w: w.parts.drop_block(1, 8, 5)) > 0


async def test_everything_uploaded_is_cleared_in_steps_and_nothing_of_others(store: Store) -> None:
    def upload(work: Work) -> None:
        for session in (1, 2):
            work.parts.put(_part(1, 7, session=session))
            work.parts.put(_part(2, 8, session=session))
            work.parts.add_payloads(session, [_payload(7, 1), _payload(7, 2), _payload(9, 1)])
            work.parts.add_addresses(session, 7, b"r" * 16)

    await store.work(upload)
    assert [await store.work(lambda w: w.parts.clear(1, 4)) for _ in range(3)] == [4, 2, 0]
    for session, parts in ((1, 0), (2, 2)):
        assert len(await store.read(lambda w, s=session: w.parts.all(s))) == parts
        assert bool(await store.read(lambda w, s=session: w.parts.addresses(s, 7))) == bool(parts)
        assert list(await store.read(lambda w, s=session: w.parts.orphan_blocks(s))) == [9] * (parts // 2)


async def test_blocks_that_no_part_refers_to_are_orphans(store: Store) -> None:
    def upload(work: Work) -> None:
        work.parts.put(_part(1, 7))
        work.parts.add_payloads(1, [_payload(block, 1) for block in (0, 7, 8)])
        work.parts.add_addresses(1, 9, b"a" * 16)
        work.parts.add_payloads(2, [_payload(10, 1)])

    await store.work(upload)
    assert list(await store.read(lambda w: w.parts.orphan_blocks(1))) == [8, 9]
    assert list(await store.read(lambda w: w.parts.orphan_blocks(3))) == []


async def test_address_records_come_back_and_absence_is_empty(store: Store) -> None:
    await store.work(lambda w: w.parts.add_addresses(1, 7, b"r" * 32))
    assert await store.read(lambda w: (w.parts.addresses(1, 7), w.parts.addresses(1, 8))) == (b"r" * 32, b"")


def _hash(n: int, first: int = 0xAB) -> bytes:
    return bytes((first,)) + n.to_bytes(7, "big")


def _segment(*records: tuple[bytes, int, int]) -> bytes:
    return b"".join(struct.pack(">8sIHH", hash8, no, idx, 0) for hash8, no, idx in sorted(records))


def _at(session: int, no: int, idx: int) -> Address:
    return Address(session=session, no=no, idx=idx)


async def test_an_unknown_address_is_nowhere(store: Store) -> None:
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), None, 10)) == []


async def test_small_sessions_are_indexed_row_by_row(store: Store) -> None:
    def fill(work: Work) -> None:
        work.addresses.add_small(1, 7, [(_hash(1), 1, 0), (_hash(2), 1, 1), (_hash(1), 2, 3)])
        work.addresses.add_small(1, 9, [(_hash(1), 1, 4)])
        work.addresses.add_small(2, 8, [(_hash(1), 1, 0)])
        work.addresses.add_small(1, 9, [])

    await store.work(fill)
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), None, 10)) == [
        _at(9, 1, 4),
        _at(7, 1, 0),
        _at(7, 2, 3),
    ]
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), 7, 10)) == [_at(7, 1, 0), _at(7, 2, 3)]
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), None, 1)) == [_at(9, 1, 4)]
    assert await store.read(lambda w: w.addresses.find(2, _hash(1), None, 10)) == [_at(8, 1, 0)]


async def test_a_longer_hash_is_found_by_its_first_eight_bytes(store: Store) -> None:
    await store.work(lambda w: w.addresses.add_small(1, 7, [(_hash(1) + b"x" * 8, 1, 0)]))
    assert await store.read(lambda w: w.addresses.find(1, _hash(1) + b"y" * 8, None, 10)) == [_at(7, 1, 0)]


async def test_big_sessions_are_indexed_by_segments(store: Store) -> None:
    many = [(_hash(n), n + 1, n % 5) for n in range(1000)]
    twice = [(_hash(500), 70_000, 2), (_hash(500), 70_001, 3)]

    def fill(work: Work) -> None:
        work.addresses.add_segments(1, 7, [(0xAB, _segment(*many, *twice)), (0xAC, _segment((_hash(1, 0xAC), 9, 9)))])
        work.addresses.add_small(1, 8, [(_hash(500), 4, 4)])

    await store.work(fill)
    assert await store.read(lambda w: w.addresses.find(1, _hash(0), None, 10)) == [_at(7, 1, 0)]
    assert await store.read(lambda w: w.addresses.find(1, _hash(999), None, 10)) == [_at(7, 1000, 4)]
    assert await store.read(lambda w: w.addresses.find(1, _hash(1000), None, 10)) == []
    assert await store.read(lambda w: w.addresses.find(1, _hash(1, 0xAC), None, 10)) == [_at(7, 9, 9)]
    places = [_at(8, 4, 4), _at(7, 501, 0), _at(7, 70_000, 2), _at(7, 70_001, 3)]
    assert await store.read(lambda w: w.addresses.find(1, _hash(500), None, 10)) == places
    assert await store.read(lambda w: w.addresses.find(1, _hash(500), None, 2)) == places[:2]
    assert await store.read(lambda w: w.addresses.find(1, _hash(500), 7, 10)) == places[1:]
    assert await store.read(lambda w: w.addresses.find(2, _hash(500), None, 10)) == []


async def test_segments_are_dropped_for_a_start_that_is_made_again(store: Store) -> None:
    def fill(work: Work) -> None:
        for session in (7, 8):
            work.addresses.add_segments(1, session, [(0xAB, _segment((_hash(1), 1, 0)))])

    await store.work(fill)
    await store.work(lambda w: w.addresses.drop_segments(1, 7))
    await store.work(lambda w: w.addresses.drop_segments(1, 99))
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), None, 10)) == [_at(8, 1, 0)]
    await store.work(lambda w: w.addresses.add_segments(1, 7, [(0xAB, _segment((_hash(1), 2, 1)))]))
    assert await store.read(lambda w: w.addresses.find(1, _hash(1), 7, 10)) == [_at(7, 2, 1)]
