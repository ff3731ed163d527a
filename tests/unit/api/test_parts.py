"""Parts: streamed, unpacked, checked, and nothing left behind when something breaks."""

import base64
import gzip
import hashlib
import json
import os
import zlib

import pytest

NDJSON = {"Content-Type": "application/x-ndjson"}
ROWS = b"".join(b'{"to": "p%d@example.com"}\n' % i for i in range(1000))


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


async def test_a_part_reaches_the_stage_in_chunks(ask, house, staged):
    pieces = [ROWS[i : i + 4096] for i in range(0, len(ROWS), 4096)]
    heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", pieces, NDJSON)
    assert (heard.status, json.loads(heard.body)["recipients"]) == (200, 1000)
    assert house.uploads.came == [len(piece) for piece in pieces]
    assert house.room.parts[staged, 1][1] == ROWS


async def test_the_whole_way_of_an_upload(client, house, staged):
    for part, rows in ((1, b"{}\n{}\n"), (2, b"{}\n"), (2, b"{}\n{}\n{}\n")):
        put = await client.put(f"/v1/sessions/{staged}/parts/{part}", content=rows, headers=house.all | NDJSON)
        assert put.status_code == 200
    parts = (await client.get(f"/v1/sessions/{staged}/parts", headers=house.all)).json()
    assert [(one["part"], one["recipients"]) for one in parts["items"]] == [(1, 2), (2, 3)]
    start = f"/v1/sessions/{staged}/start"
    wrong = await client.post(start, json={"parts": 2, "recipients": 6}, headers=house.all)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "parts_mismatch")
    right = await client.post(start, json={"parts": 2, "recipients": 5}, headers=house.all)
    assert (right.status_code, right.json()["state"]) == (202, "running")
    late = await client.put(f"/v1/sessions/{staged}/parts/3", content=b"{}", headers=house.all | NDJSON)
    assert (late.status_code, late.json()["current_state"]) == (409, "running")


@pytest.mark.parametrize(
    ("media", "query", "seen"),
    [
        ("text/csv", "", ("text/csv", None)),
        ("Text/CSV; charset=UTF-8; header=present", "?delimiter=;", ("text/csv", ";")),
        ("text/csv", "?delimiter=tab", ("text/csv", "tab")),
        ("text/csv", "?delimiter=%09", ("text/csv", "\t")),
        ("application/x-ndjson", "", ("application/x-ndjson", None)),
    ],
)
async def test_the_form_is_passed_on(client, house, staged, media, query, seen):
    path = f"/v1/sessions/{staged}/parts/1{query}"
    answer = await client.put(path, content=b"to\n", headers=house.all | {"Content-Type": media})
    assert answer.status_code == 200
    assert house.uploads.asked == [seen]


@pytest.mark.parametrize("media", ["application/json", "text/plain", "", "text/csv; charset=latin-1", "text/csvx"])
async def test_another_form_is_415(client, house, staged, media):
    headers = house.all | {"Content-Type": media}
    answer = await client.put(f"/v1/sessions/{staged}/parts/1", content=b"x", headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept"] == "application/x-ndjson, text/csv"
    assert house.uploads.asked == []


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "one", "100001", "9" * 40, "+1", "1_0", "¹"])
async def test_a_part_without_a_proper_number_is_404(client, house, staged, number):
    answer = await client.put(f"/v1/sessions/{staged}/parts/{number}", content=b"x", headers=house.all | NDJSON)
    assert answer.status_code == 404
    assert house.uploads.asked == []


async def test_a_broken_connection_leaves_nothing(ask, house, staged):
    heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [ROWS[:5000], ROWS[5000:9000], None], NDJSON)
    assert (heard.status, json.loads(heard.body)["code"]) == (400, "disconnected")
    assert house.uploads.came == [5000, 4000]
    assert len(house.uploads.broken) == 1
    assert house.room.parts == {}


class TestPacked:
    PACKED = NDJSON | {"Content-Encoding": "gzip"}

    @pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
    async def test_is_unpacked_however_it_is_cut(self, ask, house, staged, size):
        packed = gzip.compress(ROWS)
        pieces = [packed[i : i + size] for i in range(0, len(packed), size)]
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", pieces, self.PACKED)
        assert heard.status == 200
        assert house.room.parts[staged, 1][1] == ROWS
        assert max(house.uploads.came) <= 1 << 16

    async def test_several_members_are_one_text(self, ask, house, staged):
        packed = gzip.compress(b"{}\n") + gzip.compress(b"") + gzip.compress(b"{}\n{}\n")
        assert (await ask("PUT", f"/v1/sessions/{staged}/parts/1", [packed], self.PACKED)).status == 200
        assert house.room.parts[staged, 1][1] == b"{}\n{}\n{}\n"

    async def test_a_noisy_body_goes_through_whole(self, ask, house, staged):
        noise = os.urandom(300_000)
        assert (await ask("PUT", f"/v1/sessions/{staged}/parts/1", [gzip.compress(noise)], self.PACKED)).status == 200
        assert house.room.parts[staged, 1][1] == noise

    async def test_a_bomb_is_refused_before_it_unfolds(self, ask, house, staged):
        bomb = gzip.compress(b"\0" * 50_000_000, 9)
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [bomb], self.PACKED)
        assert (heard.status, json.loads(heard.body)["code"]) == (413, "gzip_ratio")
        assert sum(house.uploads.came) < 11_000_000
        assert house.room.parts == {}

    @pytest.mark.parametrize(
        "body",
        [
            b"plain text",
            gzip.compress(ROWS)[:-4],
            gzip.compress(ROWS)[:200],
            zlib.compress(ROWS),
            gzip.compress(ROWS)[:-8] + bytes(8),
            gzip.compress(ROWS) + b"rest",
        ],
        ids=["plain", "no trailer", "cut", "zlib", "bad checksum", "rest"],
    )
    async def test_a_broken_packing_leaves_nothing(self, ask, house, staged, body):
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [body], self.PACKED)
        assert (heard.status, json.loads(heard.body)["code"]) == (400, "gzip_broken")
        assert house.room.parts == {}

    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
    async def test_another_packing_is_415(self, ask, staged, coding):
        headers = NDJSON | {"Content-Encoding": coding}
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [b"x"], headers)
        assert (heard.status, heard.headers["accept-encoding"]) == (415, "gzip")

    async def test_the_digest_is_over_the_packed_bytes(self, ask, house, staged):
        packed = gzip.compress(ROWS)
        path = f"/v1/sessions/{staged}/parts/1"
        wrong = await ask("PUT", path, [packed], self.PACKED | {"Content-Digest": digest(ROWS)})
        assert (wrong.status, json.loads(wrong.body)["code"]) == (422, "digest_mismatch")
        assert house.room.parts == {}
        right = await ask("PUT", path, [packed], self.PACKED | {"Content-Digest": digest(packed)})
        assert right.status == 200


class TestDigest:
    async def test_the_right_one_is_accepted(self, ask, house, staged):
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [ROWS], NDJSON | {"Content-Digest": digest(ROWS)})
        assert heard.status == 200

    async def test_the_wrong_one_is_refused_and_leaves_nothing(self, ask, house, staged):
        headers = NDJSON | {"Content-Digest": digest(ROWS + b"x")}
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [ROWS], headers)
        assert (heard.status, json.loads(heard.body)["code"]) == (422, "digest_mismatch")
        assert house.room.parts == {}

    async def test_others_beside_it_are_ignored(self, ask, staged):
        both = f"sha-512=:AAAA:, {digest(ROWS)}"
        assert (
            await ask("PUT", f"/v1/sessions/{staged}/parts/1", [ROWS], NDJSON | {"Content-Digest": both})
        ).status == 200

    @pytest.mark.parametrize(
        "header", ["sha-256=abc", "sha-256=:AAAA:", "sha-256=:!:", "md5=:AAAA:", "", "sha-256=:A:"]
    )
    async def test_one_that_can_not_be_read_is_refused(self, ask, house, staged, header):
        heard = await ask("PUT", f"/v1/sessions/{staged}/parts/1", [ROWS], NDJSON | {"Content-Digest": header})
        assert (heard.status, json.loads(heard.body)["code"]) == (400, "invalid_digest")
        assert house.room.parts == {}


async def test_a_part_over_the_limit_is_refused_while_it_comes(house, staged, client):
    from litestar.testing import AsyncTestClient

    from pagerd.api.stages import Settings

    house.settings = Settings(max_part=10_000)
    async with AsyncTestClient(app=house.app()) as small:
        path = f"/v1/sessions/{staged}/parts/1"
        answer = await small.put(path, content=ROWS, headers=house.all | NDJSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
        packed = gzip.compress(ROWS)
        assert len(packed) < 10_000
        headers = house.all | NDJSON | {"Content-Encoding": "gzip"}
        assert (await small.put(path, content=packed, headers=headers)).status_code == 413
    assert house.room.parts == {}
