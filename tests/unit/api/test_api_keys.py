"""API keys: issued once, never shown again, never wider than their issuer's, revoked."""

import pytest


async def test_a_key_is_shown_once_and_works(client, house):
    body = {"name": "shop", "scopes": ["session.read"], "expires_at": "2027-01-01T00:00:00Z"}
    issued = await client.post("/v1/api-keys", json=body, headers=house.all)
    assert issued.status_code == 201
    key = issued.json()["key"]
    assert issued.json()["id"].startswith("key_")
    assert issued.json()["expires_at"] == "2027-01-01T00:00:00.000Z"
    listed = await client.get("/v1/api-keys", headers=house.all)
    assert [one["name"] for one in listed.json()["items"]] == ["shop"]
    assert key not in listed.text
    mine = {"Authorization": f"Bearer {key}"}
    assert (await client.get("/v1/sessions", headers=mine)).status_code == 200
    assert (await client.get("/v1/api-keys", headers=mine)).status_code == 403


async def test_a_key_without_scopes_holds_the_usual_ones(client, house):
    scopes = (await client.post("/v1/api-keys", json={"name": "x"}, headers=house.all)).json()["scopes"]
    assert "session.create" in scopes
    assert "apikey.admin" not in scopes


async def test_nobody_hands_out_what_is_not_theirs(client, house):
    admin = house.keys.hold("admin", "apikey.admin", "session.read")
    body = {"name": "x", "scopes": ["session.read", "recipient.read_pii", "session.create"]}
    answer = await client.post("/v1/api-keys", json=body, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_too_wide")
    assert "recipient.read_pii, session.create" in answer.json()["detail"]
    assert (await client.post("/v1/api-keys", json={"name": "x"}, headers=admin)).status_code == 403
    assert house.keys.rows == {}
    assert (
        await client.post("/v1/api-keys", json=body | {"scopes": ["session.read"]}, headers=admin)
    ).status_code == 201


async def test_an_unknown_scope_is_named(client, house):
    body = {"name": "x", "scopes": ["session.read", "session.crate"]}
    problem = (await client.post("/v1/api-keys", json=body, headers=house.all)).json()
    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [("/scopes/1", "unknown_scope")]


async def test_a_revoked_key_opens_nothing(client, house):
    issued = (await client.post("/v1/api-keys", json={"name": "x"}, headers=house.all)).json()
    for _ in range(2):
        gone = await client.delete(f"/v1/api-keys/{issued['id']}", headers=house.all)
        assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get("/v1/sessions", headers={"Authorization": f"Bearer {issued['key']}"})).status_code == 401
    (row,) = (await client.get("/v1/api-keys", headers=house.all)).json()["items"]
    assert row["revoked_at"]


@pytest.mark.parametrize("wrong", ["key_x", "ses_00000000000000000000000000", "key_7zzzzzzzzzzzzzzzzzzzzzzzzw"])
async def test_an_unknown_key_is_404(client, house, wrong):
    assert (await client.delete(f"/v1/api-keys/{wrong}", headers=house.all)).status_code == 404


async def test_an_answer_with_a_secret_can_not_be_given_again(client, house):
    answer = await client.post("/v1/api-keys", json={"name": "x"}, headers=house.all | {"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_not_possible")
    assert house.keys.rows == {}
