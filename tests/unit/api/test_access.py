"""Who may come in: nobody without a key, nobody without the permission, and no route that does not say."""

import pytest
from litestar import get

from pagerd.api import doors
from pagerd.api.answers import Reply
from pagerd.core.errors import Misconfigured

OURS = {"id", "name", "part", "session_id", "recipient_id", "message_id", "code", "key_id"}


def routes(house):
    return doors.handlers(house.app().routes)


def concrete(path: str) -> str:
    for name in OURS:
        path = path.replace(f"{{{name}}}", "1")
    assert "{" not in path, path
    return path


async def test_every_route_with_a_permission_wants_a_key_and_that_permission(client, house):
    seen = 0
    almost = house.keys.hold("almost", "nothing.at_all")
    for route, handler in routes(house):
        permission = handler.opt.get("permission")
        if permission is None:
            continue
        seen += 1
        (method,) = handler.http_methods
        path = concrete(route.path_format)
        anonymous = await client.request(method, path)
        assert (anonymous.status_code, anonymous.json()["code"]) == (401, "unauthenticated"), path
        assert anonymous.headers["www-authenticate"] == 'Bearer realm="pager"'
        forbidden = await client.request(method, path, headers=almost)
        assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden"), path
        assert f'scope="{permission}"' in forbidden.headers["www-authenticate"]
    assert seen > 25


async def test_public_routes_are_these_and_no_others(house):
    public = {route.path_format for route, handler in routes(house) if handler.opt.get("public")}
    assert public == {
        "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/errors", "/docs/errors/{code}", "/docs/style.css",
    }  # fmt: skip


@pytest.mark.parametrize("header", ["Bearer nobody", "Basic ZTpl", "Bearer", "everything", "Bearer \xff", ""])
async def test_a_wrong_key_is_401_and_says_so(client, header):
    answer = await client.get("/v1/sessions", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_key_is_wanted_before_the_body_is_read(ask):
    heard = await ask("POST", "/v1/sessions", [None], {"Authorization": "Bearer nobody"})
    assert heard.status == 401


@pytest.mark.parametrize(
    "opt",
    [
        {},
        {"public": False},
        {"permission": None},
        {"permission": "session.crate"},
        {"public": True, "permission": "session.read"},
    ],
)
def test_a_route_that_does_not_say_who_may_come_in_stops_the_start(house, opt):
    @get("/new", opt=opt)
    async def new() -> Reply:
        return Reply(body=b"secret")

    with pytest.raises(Misconfigured, match="/new"):
        house.app(dev=True, inbox_routes=[new])


async def test_the_inbox_is_there_in_development_only(house):
    from litestar.testing import AsyncTestClient

    @get("/inbox", opt={"public": True})
    async def inbox() -> Reply:
        return Reply(body=b"<h1>", media_type="text/html", headers={"content-security-policy": "default-src 'self'"})

    async with AsyncTestClient(app=house.app(dev=True, inbox_routes=[inbox])) as client:
        answer = await client.get("/inbox")
        assert (answer.status_code, answer.text) == (200, "<h1>")
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        assert "/inbox" in (await client.get("/openapi.json")).json()["paths"]
    async with AsyncTestClient(app=house.app(dev=False, inbox_routes=[inbox])) as client:
        assert (await client.get("/inbox")).status_code == 404


async def test_options_says_what_is_allowed_without_a_key(client):
    answer = await client.options("/v1/sessions")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
