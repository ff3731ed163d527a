"""``/v1/sessions/{id}/parts`` and ``/start``: big audiences, streamed."""

from __future__ import annotations

from typing import Final

from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from pagerd.api.answers import Reply, listed, shown
from pagerd.api.bodies import StartBody
from pagerd.api.calls import Call, asker, stages_of
from pagerd.api.doors import Door, needs
from pagerd.api.queries import PartQuery, asked
from pagerd.api.reading import headers, read
from pagerd.api.refusals import UnsupportedMedia
from pagerd.api.streams import body_of, wanted_digest
from pagerd.core.errors import Missing
from pagerd.core.views import Page, PartView, SessionView

MEDIA: Final = ("application/x-ndjson", "text/csv")
MAX_PART: Final = 100_000
"""The highest number that a part may have."""


@put(
    "/v1/sessions/{session_id:str}/parts/{part:str}",
    status_code=200,
    opt=needs("session.create", Door(query=PartQuery, answer=PartView, takes=MEDIA, changes=True)),
)
async def upload(request: Call, session_id: FromPath[str], part: FromPath[str]) -> Reply:
    """Upload one part of an audience, as NDJSON or CSV.

    A part is stored whole or not at all; the same number again replaces it. ``Content-Encoding: gzip`` is understood
    and ``Content-Digest`` (``sha-256``) is checked. With ``on_invalid: fail`` a bad line refuses the part; with
    ``skip`` the answer lists what was left out.
    """
    number = _number(part)
    query = asked(request, PartQuery)
    sent = headers(request)
    stages = stages_of(request)
    media = _media(sent.get(b"content-type", b""))
    coding = sent.get(b"content-encoding", b"").strip().lower()
    wanted = wanted_digest(sent.get(b"content-digest"))
    chunks, digest = body_of(request, coding, wanted, stages.settings.max_part)
    view = await stages.uploads.put_part(
        asker(request),
        session_id,
        number,
        chunks,
        content_type=media,
        delimiter=query.delimiter,
        digest=digest,
        line_offset=query.line_offset,
    )
    return shown(view)


@get("/v1/sessions/{session_id:str}/parts", opt=needs("session.read", Door(answer=Page[PartView])))
async def parts(request: Call, session_id: FromPath[str]) -> Reply:
    """List the parts that are there."""
    return listed(await stages_of(request).uploads.parts(asker(request), session_id))


@post(
    "/v1/sessions/{session_id:str}/start",
    status_code=202,
    opt=needs("session.create", Door(body=StartBody, answer=SessionView, changes=True)),
)
async def start(request: Call, session_id: FromPath[str]) -> Reply:
    """Start a session whose audience was uploaded.

    ``parts`` and ``recipients`` say what was sent; what is there must be the same, else 409 ``parts_mismatch``.
    """
    body = await read(request, StartBody)
    uploads = stages_of(request).uploads
    view = await uploads.start(asker(request), session_id, parts=body.parts, recipients=body.recipients)
    return shown(view, 202)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_PART):
        raise Missing(f"Parts are numbered from 1 to {MAX_PART}.")
    return int(text)


def _media(header: bytes) -> str:
    kind, _, parameters = header.decode("latin-1").lower().partition(";")
    charset = next((one for one in parameters.split(";") if one.strip().startswith("charset=")), "charset=utf-8")
    if kind.strip() not in MEDIA or charset.strip().removeprefix("charset=").strip('"') not in ("utf-8", "us-ascii"):
        raise UnsupportedMedia(f"A part is sent as {' or '.join(MEDIA)}, in UTF-8.", accept=", ".join(MEDIA))
    return kind.strip()


HANDLERS: Final[list[HTTPRouteHandler]] = [upload, parts, start]
