"""The work that is measured: a personalised mail of about 3.5 KB with text and HTML, and people to tell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.processes import Server

_FILLER = "Your parcel is on its way and will reach you soon. We thank you for your order and wish you a good day. "
TEMPLATE: dict[str, Any] = {
    "variables": [
        {"name": "name", "type": "string", "required": True},
        {"name": "order", "type": "string", "required": True},
        {"name": "total", "type": "number", "required": True},
        {"name": "city", "type": "string"},
        {"name": "items", "type": "list", "default": []},
    ],
    "variants": [
        {
            "channel": "email",
            "locale": "en",
            "subject": "Order {{ order }} is on its way, {{ name }}",
            "text": "Dear {{ name }},\n\n" + (_FILLER * 8) + "\n\nOrder {{ order }}, {{ total }} EUR"
            "{% if city %} to {{ city }}{% endif %}\n{% for item in items %}- {{ item }}\n{% endfor %}",
            "html": "<html><body><p>Dear <b>{{ name }}</b>,</p>"
            + "".join(f"<p>{_FILLER}</p>\n" for _ in range(17))
            + "<p>Order {{ order }}, {{ total }} EUR{% if city %} to {{ city }}{% endif %}</p>"
            "<ul>{% for item in items %}<li>{{ item }}</li>{% endfor %}</ul></body></html>",
        }
    ],
}
PART = 20_000


def people(count: int, tag: str) -> Iterator[bytes]:
    """Yield NDJSON parts of people."""
    for start in range(0, count, PART):
        yield b"".join(person(i, tag) for i in range(start, min(count, start + PART)))


def person(i: int, tag: str) -> bytes:
    data = {
        "name": f"Ada Lovelace {i}",
        "order": f"A-{i:07d}",
        "total": i % 500 + 0.5,
        "city": "London",
        "items": ["pen", "paper"],
    }
    return json.dumps({"to": f"{tag}{i}@example.com", "data": data}).encode() + b"\n"


def publish(server: Server) -> None:
    server.call("PUT", "/v1/templates/bench", TEMPLATE)
    server.call("POST", "/v1/templates/bench/publish")


def admit(server: Server, count: int, tag: str, **fields: Any) -> str:
    """Upload and start a session of ``count`` people; return its identifier."""
    session = server.call("POST", "/v1/sessions", {"template": "bench", "audience": {"upload": True}, **fields})["id"]
    parts = 0
    for parts, body in enumerate(people(count, tag), 1):
        server.call("PUT", f"/v1/sessions/{session}/parts/{parts}", body, "application/x-ndjson")
    server.call("POST", f"/v1/sessions/{session}/start", {"parts": parts, "recipients": count})
    return str(session)


def finish(server: Server, session: str, pause: float = 0.05) -> dict[str, Any]:
    """Return the session once it is finished."""
    while True:
        view: dict[str, Any] = server.call("GET", f"/v1/sessions/{session}")
        if view["finished_at"]:
            return view
        time.sleep(pause)
