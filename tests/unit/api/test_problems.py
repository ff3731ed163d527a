"""How Pager says no: problem details, one table of statuses, nothing of its inside."""

import json

import pytest
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from pagerd.api import problems
from pagerd.api.refusals import Disconnected, Stale, UnsupportedMedia
from pagerd.core import errors

BODY = {"template": "hello", "audience": {"recipients": [{"to": "ada@example.com"}]}}


class Rude:
    """Admission that always says the same."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def admit(self, asker, request, retry):
        raise self.error


async def said(house, error):
    async with AsyncTestClient(app=house.app(admission=Rude(error)), raise_server_exceptions=False) as client:
        return await client.post("/v1/sessions", json=BODY, headers=house.all)


TABLE = [
    (errors.Malformed("x"), 400, "malformed"),
    (Disconnected("x"), 400, "disconnected"),
    (errors.Unauthenticated("x"), 401, "unauthenticated"),
    (errors.Forbidden("x"), 403, "forbidden"),
    (errors.Missing("x"), 404, "not_found"),
    (errors.WrongState("x", current="paused"), 409, "wrong_state"),
    (errors.Conflict("x"), 409, "conflict"),
    (errors.Gone("x"), 410, "gone"),
    (Stale("x"), 412, "stale"),
    (errors.TooLarge("x"), 413, "too_large"),
    (UnsupportedMedia("x"), 415, "unsupported_media_type"),
    (errors.Invalid("x"), 422, "invalid"),
    (errors.NotSupportedYet("x"), 422, "not_supported_yet"),
    (errors.Unavailable("x"), 503, "unavailable"),
    (errors.Refused("x"), 400, "refused"),
]


@pytest.mark.parametrize(("error", "status", "code"), TABLE, ids=lambda value: type(value).__name__)
async def test_each_class_has_its_status_and_is_a_problem(house, error, status, code):
    answer = await said(house, error)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["type"] == f"/docs/errors/{code}"
    assert (problem["status"], problem["code"], problem["detail"]) == (status, code, "x")
    assert problem["title"]
    assert answer.headers["request-id"]


def test_every_error_of_the_core_is_in_the_table_or_is_our_own_fault():
    def below(cls):
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    ours = {
        cls for cls in below(errors.Refused) | below(errors.Unavailable) if cls.__module__.startswith("pagerd.core")
    }
    assert ours <= problems.STATUS.keys()
    assert all(problems.status_of(cls("x")) == 500 for cls in (errors.Broken, errors.Misconfigured, errors.SealBroken))


async def test_what_stands_beside_a_status(house):
    state = await said(house, errors.WrongState("x", current="paused"))
    assert state.json()["current_state"] == "paused"
    busy = await said(house, errors.Conflict("x", retry_after=2))
    assert busy.headers["retry-after"] == "2"
    assert "retry-after" not in (await said(house, errors.Conflict("x"))).headers
    later = await said(house, errors.Unavailable("x", retry_after=30))
    assert later.headers["retry-after"] == "30"
    helped = errors.Missing("x", remedy="look elsewhere")
    assert (await said(house, helped)).json()["remedy"] == "look elsewhere"


async def test_faults_are_shown_as_they_are(house):
    fault = errors.Fault(code="variable_missing", detail="name is missing", line=17, variant="email.en", part="html")
    answer = await said(house, errors.Invalid("x", faults=[fault], count=4711))
    problem = answer.json()
    assert problem["errors"] == [
        {"code": "variable_missing", "detail": "name is missing", "line": 17, "variant": "email.en", "part": "html"}
    ]
    assert problem["error_count"] == 4711


SECRET = "ada@example.com in /var/lib/pagerd"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(SECRET),
        errors.Broken(SECRET),
        errors.SealBroken(SECRET),
        errors.PagerError(SECRET),
        KeyError(SECRET),
    ],
)
async def test_what_should_not_happen_tells_the_asker_nothing_and_the_log_where(house, error):
    with capture_logs() as logs:
        answer = await said(house, error)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ada" not in answer.text
    assert "Error" not in answer.text
    (entry,) = logs
    assert entry["request_id"] == answer.headers["request-id"]
    assert entry["request_id"] in answer.json()["detail"]
    assert (entry["method"], entry["route"]) == ("POST", "/v1/sessions")
    assert entry["error"] == type(error).__name__
    assert any("admit" in frame for frame in entry["frames"])
    assert "ada" not in json.dumps(entry)


async def test_an_input_too_deep_for_a_stage_is_400(house):
    answer = await said(house, RecursionError())
    assert (answer.status_code, answer.json()["code"]) == (400, "too_deep")


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/sessions", "/v1/sessions/1/2/3/4", "/v1/sesions", "/%00", "/..%2f"])
async def test_no_such_address_is_a_problem_too(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["request-id"]


async def test_no_such_method_is_a_problem_that_says_which_there_are(client):
    answer = await client.delete("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


async def test_a_host_that_is_none_is_a_problem_too(client):
    answer = await client.get("/healthz", headers={"Host": "a b/c"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_sane_request_id_is_kept_and_another_replaced(client):
    kept = await client.get("/healthz", headers={"Request-Id": "trace-1:2.3_4"})
    assert kept.headers["request-id"] == "trace-1:2.3_4"
    for sent in ("", "x" * 65, "a b", "<script>", "a\tb"):
        other = await client.get("/healthz", headers={"Request-Id": sent})
        assert other.headers["request-id"] not in ("", sent)
    one, two = [(await client.get("/healthz")).headers["request-id"] for _ in range(2)]
    assert one != two


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/sessions"])
async def test_every_answer_is_careful(client, path):
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions/ses_1/not-told.csv"),
        ("POST", "/v1/templates/x/test"),
        ("GET", "/v1/webhooks"),
        ("POST", "/v1/users"),
    ],
)
async def test_what_is_named_and_not_built_says_so(client, house, method, path):
    answer = await client.request(method, path, headers=house.all)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_supported_yet")
