"""Messages and recipients: one person's way in, and everything about them afterwards."""

import json

import pytest

from pagerd.core.policy import Channel, OnDoubt

TO = {"to": "ada@example.com", "template": "login-code"}


@pytest.fixture
async def message(client, house) -> str:
    return (await client.post("/v1/messages", json=TO, headers=house.all)).json()["id"]


async def test_a_message_is_answered_with_its_recipient(client, house):
    answer = await client.post("/v1/messages", json=TO | {"to": {"email": "ada@example.com"}}, headers=house.all)
    assert answer.status_code == 202
    assert answer.json()["id"].startswith("rcp_")
    assert answer.json()["session"].startswith("ses_")
    assert house.room.requests[0].to == {"email": "ada@example.com"}


async def test_every_field_of_a_message_reaches_the_stage(client, house):
    body = TO | {
        "channel": "email", "data": {"code": "123"}, "locale": "de", "from": "hi@shop.example",
        "reply_to": "help@shop.example", "ttl": 300, "on_doubt": "hold", "reference": "r", "metadata": {"a": [1]},
    }  # fmt: skip
    assert (await client.post("/v1/messages", json=body, headers=house.all)).status_code == 202
    (request,) = house.room.requests
    assert (request.to, request.template, request.channel) == ("ada@example.com", "login-code", Channel.EMAIL)
    assert (request.data, request.locale, request.ttl) == ({"code": "123"}, "de", 300)
    assert (request.sender, request.reply_to) == ("hi@shop.example", "help@shop.example")
    assert (request.on_doubt, request.reference, request.metadata) == (OnDoubt.HOLD, "r", {"a": [1]})


async def test_a_message_sent_twice_with_one_key_is_one_message(client, house):
    headers = house.all | {"Idempotency-Key": "k"}
    first = await client.post("/v1/messages", json=TO, headers=headers)
    again = await client.post("/v1/messages", json=TO, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_waiting_is_the_stages_business(client, house, message):
    at_once = await client.get(f"/v1/messages/{message}", headers=house.all)
    assert at_once.json()["recipient"]["state"] == "pending"
    assert house.accounts.waited == []
    waited = await client.get(f"/v1/messages/{message}?wait=2.5", headers=house.all)
    assert waited.json()["recipient"]["state"] == "accepted"
    assert house.accounts.waited == [2.5]


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan", "1e3", "0x1", "", "٣"])
async def test_a_wait_that_is_none_is_422(client, house, message, wait):
    answer = await client.get(f"/v1/messages/{message}?wait={wait}", headers=house.all)
    assert answer.status_code == 422
    assert "wait" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("wrong", ["rcp_x", "ses_00000000000000000000000000", "rcp_" + "0" * 45])
async def test_a_wrong_identifier_is_404(client, house, wrong):
    assert (await client.get(f"/v1/messages/{wrong}", headers=house.all)).status_code == 404
    assert (await client.get(f"/v1/recipients/{wrong}", headers=house.all)).status_code == 404


async def test_addresses_are_masked_unless_the_key_may_read_them(client, house, session_id, message):
    masked = house.keys.hold("masked", "recipient.read_masked")
    clear = house.keys.hold("clear", "recipient.read_pii")
    for headers, address in ((masked, "a…@…"), (clear, "ada@example.com")):
        people = await client.get(f"/v1/sessions/{session_id}/recipients", headers=headers)
        assert people.json()["items"][0]["to"] == address
        one = await client.get(f"/v1/recipients/{message}", headers=headers)
        assert one.json()["recipient"]["to"] == address


async def test_recipients_come_in_file_order_with_filters_and_pages(client, house, session_id):
    path = f"/v1/sessions/{session_id}/recipients"
    everybody = (await client.get(f"{path}?limit=1", headers=house.all)).json()
    assert [one["line"] for one in everybody["items"]] == [1]
    rest = (await client.get(f"{path}?cursor={everybody['next_cursor']}", headers=house.all)).json()
    assert [one["line"] for one in rest["items"]] == [2]
    nobody = (await client.get(f"{path}?state=failed&reason=transient&code=451%204.3.0", headers=house.all)).json()
    assert nobody == {"items": [], "next_cursor": None}


async def test_a_search_finds_one_address_over_all_sessions(client, house, session_id, message):
    async def found(**body):
        answer = await client.post("/v1/recipients/search", json={"to": "ada@example.com", **body}, headers=house.all)
        assert answer.status_code == 200
        return [one["recipient"]["session"] for one in answer.json()["items"]]

    assert len(await found()) == 2
    assert await found(session=session_id) == [session_id]
    assert await found(since="2026-01-01T00:00:00Z", session="ses_other") == []


QUERIES = [
    ("limit=0", "out_of_range"),
    ("limit=501", "out_of_range"),
    ("limit=-5", "out_of_range"),
    ("limit=ten", "field_type"),
    ("limit=", "field_type"),
    ("limit=5.5", "field_type"),
    ("limit=%2B5", "field_type"),
    ("limit=99999999999999999999", "field_type"),
    ("cursor=", "too_short"),
    ("cursor=" + "x" * 1001, "too_long"),
    ("state=acepted", "not_a_choice"),
    ("state=ACCEPTED", "not_a_choice"),
    ("reason=because", "not_a_choice"),
    ("colour=red", "parameter_unknown"),
    ("Limit=5", "parameter_unknown"),
    ("%ff=%ff", "parameter_unknown"),
]


@pytest.mark.parametrize(("query", "code"), QUERIES)
async def test_a_wrong_parameter_is_422_and_named(client, house, session_id, query, code):
    answer = await client.get(f"/v1/sessions/{session_id}/recipients?{query}", headers=house.all)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    assert [fault["code"] for fault in problem["errors"]] == [code]
    assert "pointer" not in problem["errors"][0]


async def test_all_wrong_parameters_are_told_at_once(client, house, session_id):
    answer = await client.get(f"/v1/sessions/{session_id}/recipients?limit=0&sate=failed&reason=x", headers=house.all)
    problem = answer.json()
    assert {fault["code"] for fault in problem["errors"]} == {"out_of_range", "parameter_unknown", "not_a_choice"}
    assert "did you mean 'state'?" in json.dumps(problem, ensure_ascii=False)


async def test_a_parameter_twice_is_422(client, house):
    answer = await client.get("/v1/sessions?limit=5&limit=6", headers=house.all)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_repeated")


def test_the_words_of_states_are_the_cores():
    from typing import get_args

    from pagerd.api.queries import BatchWord, RecipientWord
    from pagerd.core.states import BatchState, RecipientState

    assert get_args(RecipientWord) == tuple(state.word for state in RecipientState)
    assert get_args(BatchWord) == tuple(state.word for state in BatchState)
