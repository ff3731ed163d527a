"""HEAD is GET without the body."""

import pytest


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/docs", "/v1/sessions", "/v1/providers"])
async def test_head_answers_as_get_without_a_body(client, house, path):
    got = await client.get(path, headers=house.all)
    head = await client.head(path, headers=house.all)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "cache-control"):
        assert head.headers.get(name) == got.headers.get(name)


async def test_head_says_no_as_get_does(client, house):
    assert (await client.head("/v1/sessions")).status_code == 401
    missing = await client.head("/v1/sessions/ses_00000000000000000000000000", headers=house.all)
    assert (missing.status_code, missing.content) == (404, b"")
    assert missing.headers["content-type"].startswith("application/problem+json")
    assert (await client.head("/v1/recipients/search", headers=house.all)).status_code in (404, 405)


async def test_head_of_a_stream_ends_at_once(client, house):
    body = {"template": "hello", "audience": {"recipients": [{"to": "a@b.example"}]}}
    session = (await client.post("/v1/sessions", json=body, headers=house.all)).json()["id"]
    head = await client.head(f"/v1/sessions/{session}/events", headers=house.all)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
