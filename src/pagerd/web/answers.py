"""What a browser is answered: pages made from ``pages/``, files from ``assets/``, and the headers that keep both safe.

Every page is rendered with escaping on and undefined names an error, carries no script or style of its own, and
may be framed, posted to and read from its own origin only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page(name: str, facts: Mapping[str, object], *, status: int = 200) -> Response[str]:
    """Return the page ``pages/NAME.html``, filled with ``facts``."""
    content = _pages().get_template(f"{name}.html").render(facts)
    headers = _HEADERS | {"Content-Security-Policy": _PAGE_POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
    return Response(content, status_code=status, media_type="text/html", headers=headers)


def foreign_html(content: str) -> Response[str]:
    """Return somebody else's HTML so that it can do nothing: no script, no request, an origin of its own."""
    headers = _HEADERS | {"Content-Security-Policy": _MAIL_POLICY}
    return Response(content, media_type="text/html", headers=headers)


def download(content: bytes, name: str, media_type: str) -> Response[bytes]:
    """Return bytes that a browser saves and never shows."""
    headers = _HEADERS | {
        "Content-Security-Policy": _MAIL_POLICY,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(content, media_type=media_type, headers=headers)


@get("/assets/{name:str}", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
def asset(name: FromPath[str]) -> Response[bytes]:
    """Return a style, script or picture of ours; its address changes with it, so it may be kept for a year."""
    content = _assets().get(name)
    if content is None:
        raise NotFoundException
    headers = _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("pagerd.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(moment=_moment, bytes=_size)
    pages.globals.update(asset=_address)
    return pages


@cache
def _assets() -> dict[str, bytes]:
    folder = resources.files("pagerd.web") / "assets"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}


def _address(name: str) -> str:
    return f"/assets/{name}?{hashlib.sha256(_assets()[name]).hexdigest()[:12]}"


def _moment(at: float) -> str:
    """Return UTC seconds as RFC 3339."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
