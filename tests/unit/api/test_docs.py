"""The interface explained: a sound OpenAPI document of every route, pages from our own files, one for every code."""

import json
import re

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from pagerd.api import doors
from pagerd.api.error_pages import pages
from pagerd.api.problems import _FRAMEWORK as FRAMEWORK


@pytest.fixture
async def document(client):
    answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


def operations(document):
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


async def test_the_document_is_valid_openapi(document):
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(document)] == []


async def test_every_schema_in_it_is_valid_json_schema_and_every_reference_leads_somewhere(document):
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place = document
        for step in reference.split("/"):
            place = place[step]


async def test_every_route_is_in_it_with_its_errors(document, house):
    described = {(path, method) for path, method, _ in operations(document)}
    wanted = {
        (route.path_format, method.lower())
        for route, handler in doors.handlers(house.app().routes)
        if handler.resolve_include_in_schema()
        for method in handler.http_methods
    }
    assert described == wanted
    for path, method, operation in operations(document):
        statuses = operation["responses"].keys()
        assert {"400", "500", "default"} <= statuses, path
        if operation["security"]:
            assert {"401", "403", "503"} <= statuses, path
        if "{" in path:
            assert "404" in statuses, path
        if "requestBody" in operation:
            assert {"413", "415", "422"} <= statuses, path
        assert operation["summary"], (path, method)


async def test_operations_have_names_of_their_own(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert {"sessions.create", "messages.one", "parts.upload", "templates.preview", "events.watch"} <= set(names)


async def test_it_says_what_is_needed_to_come_in(document):
    assert document["paths"]["/v1/sessions"]["post"]["security"] == [{"key": ["session.create"]}]
    assert document["paths"]["/healthz"]["get"]["security"] == []


async def test_it_describes_bodies_parameters_and_answers(document):
    create = document["paths"]["/v1/sessions"]["post"]
    body = create["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/SessionBody")
    fields = document["components"]["schemas"]["SessionBody"]
    assert fields["additionalProperties"] is False
    assert set(fields["required"]) == {"template", "audience"}
    assert "from" in fields["properties"]
    assert [one["name"] for one in create["parameters"]] == ["Idempotency-Key"]
    assert create["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/SessionView")
    listed = document["paths"]["/v1/sessions/{session_id}/recipients"]["get"]
    by_name = {one["name"]: one for one in listed["parameters"]}
    assert set(by_name) == {"session_id", "limit", "cursor", "state", "reason", "code"}
    assert by_name["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
    assert by_name["state"]["required"] is False
    assert document["paths"]["/v1/sessions/{session_id}/redrive"]["post"]["requestBody"]["required"] is False
    part = document["paths"]["/v1/sessions/{session_id}/parts/{part}"]["put"]
    assert set(part["requestBody"]["content"]) == {"application/x-ndjson", "text/csv"}


async def test_answers_are_what_it_says(client, house, document, session_id):
    """Real answers against the schemas that describe them."""
    shapes = {"components": document["components"]}
    paths = ["/v1/sessions", f"/v1/sessions/{session_id}", f"/v1/sessions/{session_id}/recipients",
             f"/v1/sessions/{session_id}/batches", "/v1/provider-kinds", "/readyz", "/v1/sessions/nope"]  # fmt: skip
    for path in paths:
        answer = await client.get(path, headers=house.all)
        template = path.replace(session_id, "{session_id}").replace("nope", "{session_id}")
        said = document["paths"][template]["get"]["responses"][str(answer.status_code)]
        if "$ref" in said:
            said = document["components"]["responses"][said["$ref"].rpartition("/")[2]]
        media = answer.headers["content-type"].partition(";")[0]
        jsonschema_rs.validator_for({**shapes, **said["content"][media]["schema"]}).validate(answer.json())


@pytest.mark.parametrize("path", ["/docs", "/docs/errors", "/docs/errors/not_found"])
async def test_pages_come_from_our_own_files_only(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    links = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert [link for link in links if not link.startswith(("/docs", "/openapi.json", "#"))] == []
    assert "<script" not in answer.text
    for link in {link for link in links if link.startswith("/")}:
        assert (await client.get(link)).status_code == 200


async def test_the_reference_shows_every_operation_and_no_dead_ends(client, document):
    text = (await client.get("/docs")).text
    for path, _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in text, path
    targets = set(re.findall(r'id="([^"]*)"', text))
    assert set(re.findall(r'href="#([^"]*)"', text)) <= targets


async def test_every_code_has_its_page(client):
    for code, page in pages().items():
        answer = await client.get(f"/docs/errors/{code}")
        assert answer.status_code == 200, code
        assert f"<code>{code}</code>" in answer.text
        assert "What to do" in answer.text
        assert page.title.split("'")[0] in answer.text


async def test_a_code_that_there_is_not_has_no_page(client):
    answer = await client.get("/docs/errors/<script>")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_the_frameworks_own_refusals_have_pages():
    assert {*FRAMEWORK.values(), "internal"} <= pages().keys()
