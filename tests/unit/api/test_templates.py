"""Templates: saved, published, shown; nobody's work overwritten unseen."""

import pytest

DRAFT = {"variants": [{"channel": "email", "locale": "en", "subject": "Hi", "html": "<p>Hi {{ name }}</p>"}]}
FULL = DRAFT | {
    "description": "greets", "variables": [{"name": "name", "required": True, "type": "string", "example": "Ada"}],
    "batch_size": 10, "from": "Shop <hi@shop.example>", "reply_to": "help@shop.example",
}  # fmt: skip
HELLO = "/v1/templates/hello"


async def test_a_draft_is_saved_and_shown_as_it_was_written(client, house):
    saved = await client.put(HELLO, json=FULL, headers=house.all)
    assert saved.status_code == 200
    shown = await client.get(HELLO, headers=house.all)
    assert shown.json() == saved.json()
    assert shown.json()["draft"] == FULL
    assert {name: shown.json()[name] for name in ("name", "revision", "published", "created_at", "updated_at")} == {
        "name": "hello",
        "revision": 1,
        "published": 0,
        "created_at": "1970-01-01T00:00:00.000Z",
        "updated_at": "1970-01-01T00:00:01.500Z",
    }


async def test_publish_freezes_versions_newest_first(client, house):
    await client.put(HELLO, json=DRAFT, headers=house.all)
    first = await client.post(f"{HELLO}/publish", headers=house.all)
    again = await client.post(f"{HELLO}/publish", json={}, headers=house.all)
    await client.put(HELLO, json=FULL, headers=house.all)
    second = await client.post(f"{HELLO}/publish", headers=house.all)
    assert [one.json()["version"] for one in (first, again, second)] == [1, 1, 2]
    versions = (await client.get(f"{HELLO}/versions", headers=house.all)).json()
    assert [one["version"] for one in versions["items"]] == [2, 1]
    assert versions["items"][0]["published_at"] == "1970-01-01T00:00:02.000Z"


async def test_the_list_is_in_order_of_name_and_pages(client, house):
    for name in ("c", "a", "b"):
        await client.put(f"/v1/templates/{name}", json=DRAFT, headers=house.all)
    first = (await client.get("/v1/templates?limit=2", headers=house.all)).json()
    assert ([one["name"] for one in first["items"]], first["next_cursor"]) == (["a", "b"], "b")
    rest = (await client.get("/v1/templates?limit=2&cursor=b", headers=house.all)).json()
    assert ([one["name"] for one in rest["items"]], rest["next_cursor"]) == (["c"], None)


async def test_a_save_with_the_etag_that_was_seen_overwrites_nothing_unseen(client, house):
    first = await client.put(HELLO, json=DRAFT, headers=house.all | {"If-None-Match": "*"})
    assert (first.status_code, first.headers["etag"]) == (200, '"1"')
    once_more = await client.put(HELLO, json=DRAFT, headers=house.all | {"If-None-Match": "*"})
    assert (once_more.status_code, once_more.json()["code"]) == (412, "stale")
    second = await client.put(HELLO, json=FULL, headers=house.all | {"If-Match": '"1"'})
    assert (second.status_code, second.headers["etag"]) == (200, '"2"')
    stale = await client.put(HELLO, json=DRAFT, headers=house.all | {"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
    assert (await client.get(HELLO, headers=house.all)).headers["etag"] == '"2"'


BAD_TAGS = [{"If-Match": tag} for tag in ("1", '"x"', 'W/"1"', '"1", "2"', "*", "")]
BAD_TAGS += [{"If-None-Match": '"1"'}, {"If-None-Match": "*", "If-Match": '"1"'}]


@pytest.mark.parametrize("headers", BAD_TAGS, ids=str)
async def test_a_precondition_that_is_none_is_400(client, house, headers):
    answer = await client.put(HELLO, json=DRAFT, headers=house.all | headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_if_match")
    assert house.templates.drafts == {}


async def test_mistakes_of_the_template_come_with_their_place(client, house):
    body = {"variants": [{"channel": "email", "subject": "x", "html": "{% if %}"}]}
    problem = (await client.put(HELLO, json=body, headers=house.all)).json()
    assert problem["errors"] == [
        {"code": "template_syntax", "detail": "x", "variant": "email.en", "part": "html", "line": 3, "column": 7}
    ]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"/variants": "field_missing"}),
        ({"variants": {}}, {"/variants": "field_type"}),
        ({"variants": ["x"]}, {"/variants/0": "field_type"}),
        ({"variants": [{}]}, {"/variants/0/channel": "field_missing"}),
        ({"variants": [{"channel": "email", "mjml": "<mjml>"}]}, {"/variants/0/mjml": "not_supported_yet"}),
        ({"variants": [{"channel": "emial"}, {"channel": "sms", "subjct": "x"}]},
         {"/variants/0/channel": "not_a_choice", "/variants/1/subjct": "field_unknown"}),
        (DRAFT | {"batch_size": 0}, {"/batch_size": "out_of_range"}),
        (DRAFT | {"batch_size": 501}, {"/batch_size": "out_of_range"}),
        (DRAFT | {"variables": [{"required": "yes"}]},
         {"/variables/0/required": "field_type", "/variables/0/name": "field_missing"}),
        (DRAFT | {"variables": [{"name": "n", "type": "int"}]}, {"/variables/0/type": "not_a_choice"}),
        (DRAFT | {"description": None}, {"/description": "field_type"}),
    ],
)  # fmt: skip
async def test_a_wrong_draft_has_every_fault(client, house, body, faults):
    answer = await client.put(HELLO, json=body, headers=house.all)
    assert answer.status_code == 422
    assert {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]} == faults
    assert house.templates.drafts == {}


async def test_a_preview_needs_nothing_and_takes_everything(client, house):
    await client.put(HELLO, json=DRAFT, headers=house.all)
    bare = await client.post(f"{HELLO}/preview", headers=house.all)
    assert (bare.status_code, bare.json()["subject"], bare.json()["from"]) == (200, "Hello", "a@example.com")
    body = {"channel": "email", "locale": "de-AT", "data": {"name": "Ada"}, "version": 3}
    await client.post(f"{HELLO}/preview", json=body, headers=house.all)
    assert house.templates.previews == [({}, "email", None, None), ({"name": "Ada"}, "email", "de-AT", 3)]


async def test_another_workspaces_templates_do_not_exist(client, house):
    await client.put(HELLO, json=DRAFT, headers=house.all)
    stranger = house.keys.hold("stranger", "template.read", workspace=2)
    assert (await client.get(HELLO, headers=stranger)).json()["code"] == "template_unknown"
    assert (await client.get("/v1/templates", headers=stranger)).json()["items"] == []
