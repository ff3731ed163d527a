"""``/docs`` and ``/openapi.json``: the interface explained from our own files, every error code with a page."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api import openapi
from pagerd.api.answers import Reply
from pagerd.api.calls import Call
from pagerd.api.doors import Door, public
from pagerd.api.error_pages import pages
from pagerd.core.errors import Missing

if TYPE_CHECKING:
    from jinja2 import Environment

_HTML: Final = "text/html"
_CSS: Final = "text/css"
_POLICY: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "max-age=300",
}


@get("/openapi.json", opt=public(Door(answer=dict[str, Any])))
async def description(request: Call) -> Reply:
    """Give this document."""
    return Reply(body=msgspec.json.encode(_document(request)), headers={"cache-control": "max-age=300"})


@get("/docs", opt=public(), include_in_schema=False)
async def reference(request: Call) -> Reply:
    """Show the reference of the interface."""
    return _page("reference.html", document=_document(request))


@get("/docs/errors", opt=public(), include_in_schema=False)
async def errors() -> Reply:
    """Show every error code with its title."""
    return _page("errors.html", pages=pages())


@get("/docs/errors/{code:str}", opt=public(), include_in_schema=False)
async def error(code: FromPath[str]) -> Reply:
    """Show what an error code means, and what to do: the ``type`` of problems leads here."""
    page = pages().get(code)
    if page is None:
        raise Missing("There is no such error code.")
    return _page("error.html", code=code, page=page)


@get("/docs/style.css", opt=public(), include_in_schema=False)
async def style() -> Reply:
    """Give the pages' style."""
    text = resources.files(__package__).joinpath("pages/style.css").read_bytes()
    return Reply(body=text, media_type=_CSS, headers=_POLICY)


def _document(call: Call) -> openapi.Json:
    state = call.app.state
    if "openapi" not in state:
        state["openapi"] = openapi.document(call.app.routes)
    known: openapi.Json = state["openapi"]
    return known


def _page(name: str, **facts: Any) -> Reply:
    return Reply(body=_pages().get_template(name).render(facts).encode(), media_type=_HTML, headers=_POLICY)


@cache
def _pages() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages_ = Environment(
        loader=PackageLoader(__package__, "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages_.filters["kind"] = _kind
    return pages_


def _kind(schema: openapi.Json) -> str:
    """Return a schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "anything"))


HANDLERS: Final[list[HTTPRouteHandler]] = [description, reference, errors, error, style]
