"""The interface described: OpenAPI 3.1, made from the routes, their doors and the types that decode and encode.

Routes come from the framework, schemas from :mod:`msgspec` (JSON Schema 2020-12, the dialect of OpenAPI 3.1); this
file only joins them, because the handlers take raw bytes and the framework can't see what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from pagerd import __version__
from pagerd.api import doors, problems
from pagerd.api.doors import Door
from pagerd.api.problems import Problem

_REF: Final = "#/components/schemas/{name}"
_ERRORS: Final = (400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 500, 503)
_REQUEST_ID: Final = {"Request-Id": {"$ref": "#/components/headers/RequestId"}}

Json = dict[str, Any]


def document(routes: Iterable[BaseRoute]) -> Json:
    """Return the OpenAPI document of these routes."""
    found = [
        (route, handler, _door(handler))
        for route, handler in doors.handlers(routes)
        if handler.resolve_include_in_schema()
    ]
    schemas = _Schemas(door for _, _, door in found)
    paths: dict[str, Json] = {}
    for route, handler, door in found:
        item = paths.setdefault(route.path_format, {})
        for method in sorted(handler.http_methods):
            item[method.lower()] = _operation(route, handler, door, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pager", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, pgr_live_…"}},
            "headers": {"RequestId": {"description": "Names this request in the log.", "schema": {"type": "string"}}},
            "responses": {f"Problem{status}": _problem(status) for status in _ERRORS},
        },
    }


class _Schemas:
    """The schemas of all the types that doors name."""

    def __init__(self, found: Iterable[Door]) -> None:
        doors_ = list(found)
        named = {id(one): one for door in doors_ for one in (door.body, door.query, door.answer) if one is not None}
        types = [*named.values(), Problem]
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_REF)
        self._of = {id(one): schema for one, schema in zip(types, schemas, strict=True)}

    def of(self, named: Any) -> Json:
        """Return the schema of a type: mostly a reference to a component."""
        return self._of[id(named)]

    def properties(self, named: Any) -> dict[str, Json]:
        """Return the schemas of a struct's fields."""
        name = self.of(named)["$ref"].rpartition("/")[2]
        found: dict[str, Json] = self.components[name].get("properties", {})
        return found


def _door(handler: HTTPRouteHandler) -> Door:
    door = handler.opt.get("door")
    return door if isinstance(door, Door) else Door()


def _operation(route: HTTPRoute, handler: HTTPRouteHandler, door: Door, schemas: _Schemas) -> Json:
    function = handler.fn
    resource = function.__module__.rpartition(".")[2]
    summary, _, more = cleandoc(function.__doc__ or "").partition("\n")
    permission = handler.opt.get("permission")
    operation: Json = {
        "operationId": f"{resource}.{function.__name__.lstrip('_')}",
        "tags": [resource],
        "summary": summary.strip().rstrip("."),
        "description": more.strip(),
        "security": [{"key": [permission]}] if permission else [],
        "parameters": list(_parameters(route, door, schemas)),
        "responses": _responses(route, handler, door, schemas),
    }
    if door.body is not None or door.takes != Door().takes:
        operation["requestBody"] = _body(door, schemas)
    return operation


def _parameters(route: HTTPRoute, door: Door, schemas: _Schemas) -> Iterator[Json]:
    for name in route.path_parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if door.query is not None:
        for name, schema in schemas.properties(door.query).items():
            yield {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
    if door.idempotent:
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": _KEY}
    if door.tagged:
        yield {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}
        yield {"name": "If-None-Match", "in": "header", "required": False, "schema": {"const": "*"}}
    if door.takes != Door().takes:
        yield {"name": "Content-Digest", "in": "header", "required": False, "schema": {"type": "string"}}


def _without_null(schema: Json) -> Json:
    members = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    plain = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    if not members:
        return plain
    rest = {name: value for name, value in plain.items() if name != "anyOf"}
    return {**rest, **members[0]} if len(members) == 1 else {**rest, "anyOf": members}


def _body(door: Door, schemas: _Schemas) -> Json:
    if door.body is None:
        return {"required": True, "content": {media: {"schema": {"type": "string"}} for media in door.takes}}
    schema = schemas.of(door.body)
    needed = any(field.required for field in msgspec.structs.fields(door.body))
    return {"required": needed, "content": {media: {"schema": schema} for media in door.takes}}


def _responses(route: HTTPRoute, handler: HTTPRouteHandler, door: Door, schemas: _Schemas) -> Json:
    headers: Json = dict(_REQUEST_ID)
    if door.idempotent:
        headers["Idempotent-Replayed"] = {"schema": {"const": "true"}, "description": "An earlier answer, again."}
    good: Json = {"description": HTTPStatus(handler.status_code).phrase, "headers": headers}
    if door.answer is not None:
        good["content"] = {door.media: {"schema": schemas.of(door.answer)}}
    errors = _errors(route, handler, door)
    refused = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in errors}
    responses = refused | {str(status): {**good, "description": words} for status, words in door.also.items()}
    return {str(handler.status_code): good, **dict(sorted(responses.items())), "default": responses["500"]}


def _errors(route: HTTPRoute, handler: HTTPRouteHandler, door: Door) -> set[int]:
    found = {400, 500}
    if "permission" in handler.opt:
        found |= {401, 403, 503}
    if route.path_parameters:
        found |= {404}
    if door.body is not None or door.takes != Door().takes:
        found |= {413, 415, 422}
    if door.query is not None:
        found |= {422}
    if door.idempotent:
        found |= {404, 409}
    if door.tagged:
        found |= {412}
    return found | ({409, 410} if door.changes else set())


def _problem(status: int) -> Json:
    described: Json = {
        "description": HTTPStatus(status).phrase,
        "headers": dict(_REQUEST_ID),
        "content": {problems.MEDIA: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    if status in (409, 503):
        described["headers"]["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds."}
    if status in (401, 403):
        described["headers"]["WWW-Authenticate"] = {"schema": {"type": "string"}}
    return described


_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
_ABOUT: Final = (
    "Tells N people, each in their own words, over the channel that reaches them, and proves who was told. "
    "Errors are problem details (RFC 9457) whose `type` leads to a page about their `code`."
)
