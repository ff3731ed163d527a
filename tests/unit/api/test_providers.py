"""Providers: written, never read back, tried and paused."""

import pytest

SMTP = {"kind": "smtp", "settings": {"url": "smtp://127.0.0.1:25"}, "credential": "hunter2"}


async def test_a_provider_is_saved_and_its_credential_only_described(client, house):
    saved = await client.put("/v1/providers/mail", json=SMTP, headers=house.all)
    assert saved.status_code == 200
    assert house.providers.credentials == {"mail": "hunter2"}
    for path in ("/v1/providers", "/v1/providers/mail"):
        shown = await client.get(path, headers=house.all)
        assert shown.status_code == 200
        assert "hunter2" not in shown.text


async def test_a_credential_left_out_stays_and_null_removes_it(client, house):
    without = {name: value for name, value in SMTP.items() if name != "credential"}
    await client.put("/v1/providers/mail", json=SMTP, headers=house.all)
    await client.put("/v1/providers/mail", json=without, headers=house.all)
    assert house.providers.credentials == {"mail": "hunter2"}
    await client.put("/v1/providers/mail", json=without | {"credential": None}, headers=house.all)
    assert house.providers.credentials == {}


async def test_writing_a_credential_needs_its_own_permission(client, house):
    writer = house.keys.hold("writer", "provider.write")
    without = {name: value for name, value in SMTP.items() if name != "credential"}
    assert (await client.put("/v1/providers/mail", json=without, headers=writer)).status_code == 200
    for credential in ("hunter3", None):
        body = without | {"credential": credential}
        assert (await client.put("/v1/providers/mail", json=body, headers=writer)).status_code == 403
    assert house.providers.credentials == {}


async def test_kinds_come_with_the_schema_of_their_settings(client, house):
    kinds = (await client.get("/v1/provider-kinds", headers=house.all)).json()
    assert kinds["items"][0] == {"kind": "smtp", "channel": "email", "settings_schema": {"type": "object"}}


async def test_pause_resume_and_test(client, house):
    await client.put("/v1/providers/mail", json=SMTP, headers=house.all)

    async def do(verb, **body):
        answer = await client.post(f"/v1/providers/mail/{verb}", headers=house.all, **body)
        assert answer.status_code == 200
        return answer.json()

    assert (await do("pause", json={"reason": "bill unpaid"}))["paused"] == "bill unpaid"
    assert (await do("resume"))["paused"] is None
    assert (await do("test"))["health"] == {"answers": True}


async def test_one_of_the_configuration_file_is_read_only(client, house):
    answer = await client.put("/v1/providers/filed", json=SMTP, headers=house.all)
    assert (answer.status_code, answer.json()["code"]) == (409, "managed_by_file")


@pytest.mark.parametrize("verb", ["", "/test", "/pause", "/resume"])
async def test_an_unknown_one_is_404(client, house, verb):
    ask = client.post if verb else client.get
    assert (await ask(f"/v1/providers/nobody{verb}", headers=house.all)).status_code == 404


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"/kind": "field_missing"}),
        (SMTP | {"settings": []}, {"/settings": "field_type"}),
        (SMTP | {"credential": ""}, {"/credential": "too_short"}),
        (SMTP | {"credential": {"password": "x"}}, {"/credential": "field_type"}),
        (SMTP | {"enabled": "no"}, {"/enabled": "field_type"}),
        (SMTP | {"pace": {"per_second": 5}}, {"/pace": "not_supported_yet"}),
        (SMTP | {"setings": {}}, {"/setings": "field_unknown"}),
    ],
)
async def test_a_wrong_provider_has_every_fault(client, house, body, faults):
    answer = await client.put("/v1/providers/mail", json=body, headers=house.all)
    assert answer.status_code == 422
    assert {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]} == faults
    assert "password" not in answer.text
    assert house.providers.views == {}
