"""Canaries: nothing of a person, of their variables or of a text is to be found in what the server keeps and says."""

from __future__ import annotations

import secrets
from pathlib import Path

from .conftest import Server, Start

PEOPLE = 1000


def test_no_address_variable_or_body_is_in_database_log_or_answers_of_strangers(start: Start, tmp_path: Path) -> None:
    template = "canary" + secrets.token_hex(8)
    canaries = [secrets.token_hex(8) for _ in range(PEOPLE)]
    server = start("dev", "--log", "debug")
    server.publish(
        draft={
            "variables": [{"name": "secret", "type": "string", "required": True}],
            "from": "Shop <shop@shop.example>",
            "variants": [
                {"channel": "email", "locale": "en", "subject": "Hello", "text": f"{template} {{{{ secret }}}}\n"}
            ],
        }
    )
    domains = ("example.com", "refused.example.com", "full.example.com")
    people = [
        {"to": f"a{c}@{domains[n % 50 == 7 or (n % 50 == 9) * 2]}", "id": f"i{c}", "data": {"secret": f"v{c}"}}
        for n, c in enumerate(canaries)
    ]
    session = server.send(people, on_invalid="skip", reference=f"r{canaries[0]}", metadata={"m": f"m{canaries[1]}"})
    _settled(server, session["id"])
    live = _read(server)
    assert b"SQLite format 3" in live, "the files were really read"
    assert _found(live, canaries, template) == []
    message = {"template": "shipped", "to": f"a{canaries[2]}@refused.example.com", "data": {"secret": canaries[3]}}
    assert server.ask("POST", "/v1/messages", message | {"bad": canaries[4]}).status_code == 422
    assert server.ask("POST", "/v1/messages?wait=5", message).status_code in (200, 202)
    server.kill()
    assert _found(_read(server), canaries, template) == [], "after a kill, with the log not folded back"
    again = start("dev", "--log", "debug")
    again.stop()
    assert _found(_read(again), canaries, template) == [], "after a clean stop"


def _settled(server: Server, id: str) -> None:
    """Return once everybody was tried: those of the full mailbox are deferred for a while."""
    headers = {"Authorization": f"Bearer {server.key}"}
    with server.http.stream("GET", f"/v1/sessions/{id}/events", headers=headers) as stream:
        for _ in stream.iter_lines():
            outcomes = server.session(id)["outcomes"]
            if outcomes["pending"] == outcomes["sending"] == 0:
                break
    view = server.session(id)
    assert view["told"] == PEOPLE * 48 // 50
    assert view["outcomes"]["failed"] == view["outcomes"]["deferred"] == PEOPLE // 50


def _read(server: Server) -> bytes:
    """Return all that the server keeps and says, but the inbox of development, whose purpose is to show mails."""
    kept = [path for path in server.data.rglob("*") if path.is_file() and path.parent.name != "inbox"]
    return b"\n".join(path.read_bytes() for path in [*kept, *server.folder.glob("errors-*.log")])


def _found(haystack: bytes, canaries: list[str], template: str) -> list[str]:
    """Return the canaries that are there, as text, as raw bytes or turned around (as an index might keep them)."""
    low = haystack.lower()
    words = [template, *canaries]
    return [w for w in words if w.encode() in low or w[::-1].encode() in low or bytes.fromhex(w[-16:]) in haystack]
