"""Sessions: the way in, the way back, and what an operator does."""

import pytest

from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority

BODY = {"template": "hello", "audience": {"recipients": [{"to": "ada@example.com"}]}}


async def test_create_answers_202_with_the_stages_own_bytes(client, house):
    answer = await client.post("/v1/sessions", json=BODY, headers=house.all)
    assert answer.status_code == 202
    assert answer.json()["total"] == 1
    assert answer.headers["content-type"] == "application/json"
    assert "idempotent-replayed" not in answer.headers


async def test_every_field_reaches_the_stage(client, house):
    body = {
        "template": "hello@3",
        "audience": {"recipients": [{"to": "ada@example.com", "data": {"n": 1}}]},
        "channel": "email",
        "data": {"shop": "Ünï"},
        "from": "Shop <hi@shop.example>",
        "reply_to": "help@shop.example",
        "batch_size": 500,
        "priority": "urgent",
        "send_at": "2026-11-22T19:30:00+01:00",
        "expires_at": "2026-11-23T00:00:00Z",
        "on_invalid": "skip",
        "on_doubt": "hold",
        "locale": "de-AT",
        "reference": "order-17",
        "metadata": {"campaign": "x"},
    }
    assert (await client.post("/v1/sessions", json=body, headers=house.all)).status_code == 202
    (request,) = house.room.requests
    assert request.template == "hello@3"
    assert request.recipients == [{"to": "ada@example.com", "data": {"n": 1}}]
    assert request.channel is Channel.EMAIL
    assert request.data == {"shop": "Ünï"}
    assert (request.sender, request.reply_to) == ("Shop <hi@shop.example>", "help@shop.example")
    assert (request.batch_size, request.priority) == (500, Priority.URGENT)
    assert (request.send_at, request.expires_at, request.ttl) == (1795372200.0, 1795392000.0, None)
    assert (request.on_invalid, request.on_doubt) == (OnInvalid.SKIP, OnDoubt.HOLD)
    assert (request.locale, request.reference, request.metadata) == ("de-AT", "order-17", {"campaign": "x"})


async def test_null_is_the_same_as_left_out(client, house):
    optional = ["channel", "data", "from", "reply_to", "batch_size", "priority", "send_at", "expires_at", "ttl"]
    optional += ["on_invalid", "on_doubt", "locale", "reference", "metadata"]
    body = BODY | dict.fromkeys(optional)
    assert (await client.post("/v1/sessions", json=body, headers=house.all)).status_code == 202
    assert (await client.post("/v1/sessions", json=BODY, headers=house.all)).status_code == 202
    assert house.room.requests[0] == house.room.requests[1]


async def test_the_same_key_and_body_is_answered_the_same_again(client, house):
    headers = house.all | {"Idempotency-Key": "monday's run"}
    first = await client.post("/v1/sessions", json=BODY, headers=headers)
    again = await client.post("/v1/sessions", json=BODY, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    other = await client.post("/v1/sessions", json=BODY | {"batch_size": 2}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(house.room.requests) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut"])
async def test_an_unfit_key_is_refused(client, house, key):
    headers = [*house.all.items(), ("Idempotency-Key", key.encode("latin-1"))]
    answer = await client.post("/v1/sessions", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert house.room.requests == []


async def test_check_stores_nothing(client, house):
    answer = await client.post("/v1/sessions/check", json=BODY, headers=house.all)
    assert (answer.status_code, answer.json()["recipients"]) == (200, 1)
    assert house.room.sessions == {}


async def test_the_list_is_newest_first_and_pages(client, house):
    made = [(await client.post("/v1/sessions", json=BODY, headers=house.all)).json()["id"] for _ in range(3)]
    first = (await client.get("/v1/sessions?limit=2", headers=house.all)).json()
    assert [one["id"] for one in first["items"]] == [made[2], made[1]]
    rest = (await client.get(f"/v1/sessions?cursor={first['next_cursor']}", headers=house.all)).json()
    assert [one["id"] for one in rest["items"]] == [made[0]]
    assert rest["next_cursor"] is None


async def test_the_list_filters_by_state(client, house, session_id, staged):
    found = (await client.get("/v1/sessions?state=staging", headers=house.all)).json()["items"]
    assert [one["id"] for one in found] == [staged]


async def test_another_workspaces_session_does_not_exist(client, house, session_id):
    stranger = house.keys.hold("stranger", "session.read", workspace=2)
    assert (await client.get(f"/v1/sessions/{session_id}", headers=house.all)).status_code == 200
    answer = await client.get(f"/v1/sessions/{session_id}", headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("wrong", ["nonsense", "rcp_00000000000000000000000000", "ses_", "ses_ü", "ses_" + "z" * 26])
async def test_a_wrong_identifier_is_404(client, house, wrong):
    assert (await client.get(f"/v1/sessions/{wrong}", headers=house.all)).status_code == 404


async def test_pause_resume_cancel_and_again(client, house, session_id):
    async def do(verb, **body):
        answer = await client.post(f"/v1/sessions/{session_id}/{verb}", headers=house.all, **body)
        return answer.status_code, answer.json().get("state") or answer.json()["current_state"]

    assert await do("pause", json={"reason": "the copy is wrong"}) == (200, "paused")
    assert house.room.sessions[1, session_id].pause_reason == "the copy is wrong"
    assert await do("pause") == (200, "paused")
    assert await do("resume") == (200, "running")
    assert await do("resume", json={}) == (200, "running")
    assert await do("cancel") == (200, "cancelled")
    assert await do("cancel") == (200, "cancelled")
    assert await do("pause") == (409, "cancelled")


async def test_a_redrive_carries_its_conditions(client, house, session_id):
    await client.post(f"/v1/sessions/{session_id}/cancel", headers=house.all)
    body = {"where": {"state": "failed", "class": "transient", "code": "451"}, "expires_at": "2026-11-22T18:30:00Z"}
    answer = await client.post(f"/v1/sessions/{session_id}/redrive", json=body, headers=house.all)
    assert (answer.status_code, answer.json()["round"]) == (200, 2)
    (redrive,) = house.control.redrives
    assert (redrive.state, redrive.reason_class, redrive.code) == ("failed", "transient", "451")
    assert (redrive.force, redrive.expires_at) == (False, 1795372200.0)


async def test_a_redrive_without_a_body_takes_what_is_retryable(client, house, session_id):
    await client.post(f"/v1/sessions/{session_id}/cancel", headers=house.all)
    assert (await client.post(f"/v1/sessions/{session_id}/redrive", headers=house.all)).status_code == 200
    assert house.control.redrives[0].state is None


@pytest.mark.parametrize("body", [{"force": True}, {"where": {"state": "unknown"}}, {"where": {"state": "suppressed"}}])
async def test_telling_people_twice_or_against_their_will_needs_its_own_permission(client, house, session_id, body):
    await client.post(f"/v1/sessions/{session_id}/cancel", headers=house.all)
    plain = house.keys.hold("plain", "delivery.redrive")
    path = f"/v1/sessions/{session_id}/redrive"
    assert (await client.post(path, json=body, headers=plain)).status_code == 403
    assert (await client.post(path, json=body, headers=house.all)).status_code == 200
    assert len(house.control.redrives) == 1


async def test_batches_page_in_file_order(client, house):
    body = {"template": "hello", "audience": {"recipients": [{"to": f"p{i}@example.com"} for i in range(12)]}}
    session = (await client.post("/v1/sessions", json=body, headers=house.all)).json()["id"]
    found = (await client.get(f"/v1/sessions/{session}/batches?limit=2", headers=house.all)).json()
    assert [one["no"] for one in found["items"]] == [1, 2]
    assert found["next_cursor"] == "2"
    none = (await client.get(f"/v1/sessions/{session}/batches?state=dead", headers=house.all)).json()
    assert none["items"] == []
