"""A Pager in a matchbox: a real HTTP server on loopback that speaks the interface, and mishaps when it is told to.

It keeps sessions in memory, knows idempotency keys and parts, and moves nobody by itself: a test says what becomes
of a session's people (:meth:`Desk.settle`). Every request is written down.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

KEY = "pgr_live_abc_secret"
STATES = [
    "pending",
    "deferred",
    "sending",
    "accepted",
    "failed",
    "suppressed",
    "duplicate",
    "rejected",
    "in_doubt",
    "unknown",
    "expired",
    "cancelled",
]
WITHHELD = {"suppressed", "duplicate"}
NOT_TOLD = {"failed", "rejected", "unknown", "expired", "cancelled"}
TO_GO = {"pending", "deferred", "sending"}


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str = "", headers: dict[str, str] | None = None, **more: Any):
        body = {"type": f"/docs/errors/{code}", "title": code, "status": status, "detail": detail or code, "code": code}
        self.answer = Answer(status, body | more, {"content-type": "application/problem+json", **(headers or {})})


@dataclass
class Mishap:
    """What happens instead of an answer, or before one: ``broken`` before the request is looked at, or after."""

    matches: str
    answer: Answer | None = None
    broken: str = ""


@dataclass
class Kept:
    """A session as the desk keeps it."""

    view: dict[str, Any]
    people: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


class Desk:
    """The matchbox. ``asked`` is what came in; ``mishaps`` are used up one by one."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.mishaps: deque[Mishap] = deque()
        self.sessions: dict[str, Kept] = {}
        self.keys: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.first_answers: dict[str, dict[str, Any]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.providers: dict[str, dict[str, Any]] = {}
        self.speaks_events = True
        self.events_per_connection = 1_000
        self.heard: list[str] = []
        self.changed = threading.Condition()
        self.closing = False
        self.on_start: Callable[[Kept], None] = lambda kept: None
        self.ready = {"ready": True, "checks": [{"name": "store", "ok": True}]}

    # what tests say

    def count(self, what: str) -> int:
        """How many requests came in whose 'METHOD /path' begins with ``what``."""
        return sum(f"{one.method} {one.path}".startswith(what) for one in self.asked)

    def last(self, what: str) -> Asked:
        return next(one for one in reversed(self.asked) if f"{one.method} {one.path}".startswith(what))

    def mishap(self, matches: str, answer: Answer | None = None, *, broken: str = "", times: int = 1) -> None:
        self.mishaps.extend(Mishap(matches, answer, broken) for _ in range(times))

    def settle(self, id: str, state: str = "accepted", count: int | None = None, **reason: str) -> None:
        """Let so many of the people who are still to go (all by default) end in ``state``."""
        with self.changed:
            kept = self.sessions[id]
            pending = [one for one in kept.people if one["state"] in TO_GO]
            for one in pending[:count]:
                one["state"] = state
                one["reason"] = reason or None
            self._fold(kept)
            self.changed.notify_all()

    def change(self, id: str, **fields: Any) -> None:
        with self.changed:
            self.sessions[id].view.update(fields)
            self.changed.notify_all()

    # what requests do

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/readyz":
            return Answer(200 if self.ready["ready"] else 503, self.ready)
        if asked.headers.get("authorization") not in {f"Bearer {KEY}", f"Bearer {KEY.replace('live', 'test')}"}:
            raise Problem(401, "unauthenticated", "The key is not known.")
        for method, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, asked.path)
            if found and asked.method == method:
                return handler(self, asked, *map(unquote, found.groups()))
        raise Problem(404, "not_found", f"There is nothing at {asked.path}.")

    def once(self, asked: Asked, make: Callable[[], str]) -> tuple[str, bool]:
        key = (asked.headers.get("idempotency-key", ""), asked.headers["authorization"])
        if not key[0]:
            return make(), False
        if key in self.keys:
            body, name = self.keys[key]
            if body != asked.body:
                raise Problem(422, "idempotency_key_reused", "The key was used for another body.")
            return name, True
        name = make()
        self.keys[key] = (asked.body, name)
        return name, False

    def create(self, asked: Asked) -> Answer:
        body = asked.json

        def make() -> str:
            name = f"ses_{len(self.sessions) + 1:04}"
            view = new_view(name, body, live="live" in asked.headers["authorization"])
            kept = self.sessions[name] = Kept(view, body=body)
            if body["audience"].get("upload"):
                view["state"] = "staging"
            else:
                self._admit(kept, body["audience"]["recipients"])
            return name

        name, replayed = self.once(asked, make)
        if not replayed:
            self.first_answers[name] = json.loads(json.dumps(self.sessions[name].view))
        headers = {"idempotent-replayed": "true"} if replayed else {}
        return Answer(202, self.first_answers[name], headers)

    def _admit(self, kept: Kept, rows: list[dict[str, Any]]) -> None:
        kept.people = [new_person(kept.view["id"], place, row) for place, row in enumerate(rows, 1)]
        kept.view["state"] = "scheduled" if kept.body.get("send_at") else "running"
        kept.view["started_at"] = None if kept.body.get("send_at") else "2026-11-22T10:00:01Z"
        self._fold(kept)
        self.on_start(kept)

    def _fold(self, kept: Kept) -> None:
        states = Counter(one["state"] for one in kept.people)
        view = kept.view
        view["total"] = len(kept.people)
        view["outcomes"] = {state: states.get(state, 0) for state in STATES}
        view["told"] = states.get("accepted", 0)
        view["withheld"] = sum(states[one] for one in WITHHELD)
        view["not_told"] = sum(states[one] for one in NOT_TOLD)
        view["in_doubt"] = states.get("in_doubt", 0)
        view["to_go"] = sum(states[one] for one in TO_GO)
        groups = Counter((one["state"], *sorted(one["reason"].items())) for one in kept.people if one["reason"])
        view["reasons"] = [
            {"state": state, **dict(items), "count": count, "retryable": dict(items)["class"] == "transient"}
            for (state, *items), count in groups.items()
        ]
        if view["to_go"] + view["in_doubt"] == 0 and view["state"] == "running":
            view["finished_at"] = "2026-11-22T10:05:00Z"
            view["state"] = "completed" if not view["not_told"] else "completed_with_failures"
            if view["not_told"] and not view["told"]:
                view["state"] = "failed"

    def kept(self, id: str) -> Kept:
        if id not in self.sessions:
            raise Problem(404, "not_found", f"There is no session {id}.")
        return self.sessions[id]

    def look(self, asked: Asked, id: str) -> Answer:
        return Answer(200, self.kept(id).view)

    def list_sessions(self, asked: Asked) -> Answer:
        views = [kept.view for kept in reversed(self.sessions.values())]
        views = [view for view in views if asked.query.get("state") in {None, view["state"]}]
        return page(views, asked)

    def put_part(self, asked: Asked, id: str, number: str) -> Answer:
        kept = self.kept(id)
        if kept.view["state"] != "staging":
            raise Problem(409, "wrong_state", "The session has started.", current_state=kept.view["state"])
        wanted = "sha-256=:" + base64.b64encode(hashlib.sha256(asked.body).digest()).decode() + ":"
        if asked.headers.get("content-digest") != wanted:
            raise Problem(422, "digest_mismatch")
        rows, faults = read_rows(asked)
        if faults and kept.view["on_invalid"] == "fail":
            raise Problem(422, "invalid", faults[0]["detail"], errors=faults, error_count=len(faults))
        kept.parts[int(number)] = rows
        kept.digests[int(number)] = hashlib.sha256(asked.body).hexdigest()
        counts = {"part": int(number), "recipients": len(rows), "batches": 1, "flaws": len(faults)}
        return Answer(200, counts | {"errors": faults, "digest": "", "ignored_columns": []})

    def list_parts(self, asked: Asked, id: str) -> Answer:
        parts = self.kept(id).parts
        digests = self.kept(id).digests
        items = [
            {"part": n, "recipients": len(rows), "batches": 1, "flaws": 0, "digest": digests[n]}
            for n, rows in sorted(parts.items())
        ]
        return Answer(200, {"items": items, "next_cursor": None})

    def start(self, asked: Asked, id: str) -> Answer:
        kept = self.kept(id)
        if kept.view["state"] != "staging":
            raise Problem(409, "wrong_state", "It has started.", current_state=kept.view["state"])
        rows = [row for _, part in sorted(kept.parts.items()) for row in part]
        if asked.json != {"parts": len(kept.parts), "recipients": len(rows)}:
            raise Problem(409, "parts_mismatch", f"{len(kept.parts)} parts with {len(rows)} people are here.")
        self._admit(kept, rows)
        return Answer(202, kept.view)

    def control(self, asked: Asked, id: str, verb: str) -> Answer:
        kept = self.kept(id)
        with self.changed:
            kept.view["state"] = {"pause": "paused", "resume": "running", "cancel": "cancelled"}[verb]
            if verb == "cancel":
                kept.view["finished_at"] = "2026-11-22T10:05:00Z"
                for one in kept.people:
                    if one["state"] in TO_GO:
                        one["state"], one["reason"] = "cancelled", {"class": "cancelled", "code": "cancelled"}
                self._fold(kept)
            if verb == "pause":
                kept.view["pause_reason"] = asked.json.get("reason") if asked.body else None
            self.changed.notify_all()
        return Answer(200, kept.view)

    def redrive(self, asked: Asked, id: str) -> Answer:
        kept = self.kept(id)
        for one in kept.people:
            if one["state"] in NOT_TOLD:
                one["state"], one["reason"] = "pending", None
        kept.view["state"], kept.view["round"] = "running", kept.view["round"] + 1
        self._fold(kept)
        return Answer(200, kept.view)

    def recipients(self, asked: Asked, id: str) -> Answer:
        people = self.kept(id).people
        state, reason = asked.query.get("state"), asked.query.get("reason")
        people = [one for one in people if state in {None, one["state"]}]
        people = [one for one in people if reason in {None, (one["reason"] or {}).get("class")}]
        return page([shown(one) for one in people], asked)

    def batches(self, asked: Asked, id: str) -> Answer:
        people = self.kept(id).people
        items = [
            {"id": f"bat_{at // 5 + 1}", "no": at // 5 + 1, "state": "succeeded", "size": len(people[at : at + 5])}
            | {"round": 1, "claims": 1, "losses": 0, "effects": "none", "outcomes": {}, "run_at": None}
            for at in range(0, len(people), 5)
        ]
        return page(items, asked)

    def message(self, asked: Asked) -> Answer:
        def make() -> str:
            name = f"ses_{len(self.sessions) + 1:04}"
            kept = self.sessions[name] = Kept(new_view(name, asked.json, live=True), body=asked.json)
            self._admit(kept, [{"to": asked.json["to"]}])
            return name

        name, replayed = self.once(asked, make)
        headers = {"idempotent-replayed": "true"} if replayed else {}
        return Answer(202, shown(self.sessions[name].people[0]), headers)

    def message_seen(self, asked: Asked, id: str) -> Answer:
        kept, person = self.person(id)
        if asked.query.get("wait"):
            with self.changed:
                self.changed.wait_for(lambda: person["state"] not in TO_GO or self.closing, float(asked.query["wait"]))
        return Answer(200, timeline(kept, person))

    def person(self, id: str) -> tuple[Kept, dict[str, Any]]:
        for kept in self.sessions.values():
            for one in kept.people:
                if one["id"] == id:
                    return kept, one
        raise Problem(404, "not_found", f"There is no recipient {id}.")

    def recipient(self, asked: Asked, id: str) -> Answer:
        return Answer(200, timeline(*self.person(id)))

    def check(self, asked: Asked) -> Answer:
        """Say what sending would say: addresses need an @, variables must be declared, numbers be numbers."""
        body = asked.json
        rows = body["audience"]["recipients"]
        variables = {one["name"]: one for one in self.version(body["template"])["draft"].get("variables", [])}
        faults = []
        for place, row in enumerate(rows):
            at = f"/audience/recipients/{place}"
            if not isinstance(row, dict):
                faults.append({"code": "recipient_malformed", "detail": "a recipient is an object", "pointer": at})
                continue
            if "@" not in str(row.get("to")):
                faults.append({"code": "address_invalid", "detail": "is no address", "pointer": f"{at}/to"})
            for name, value in row.get("data", {}).items():
                if name not in variables:
                    detail = f"the template has no variable {name!r}"
                    faults.append({"code": "variable_unknown", "detail": detail, "pointer": f"{at}/data/{name}"})
                elif variables[name].get("type") == "number" and isinstance(value, str):
                    detail = f"the variable {name!r} must be a number"
                    faults.append({"code": "variable_type", "detail": detail, "pointer": f"{at}/data/{name}"})
        wrong = {fault["pointer"].split("/")[3] for fault in faults}
        good = [row for place, row in enumerate(rows) if str(place) not in wrong]
        shown = [
            {"line": 1, "to": row["to"], "subject": f"Dear {row.get('data', {}).get('name')}"} for row in good[:10]
        ]
        counts = {
            "recipients": len(rows),
            "valid": len(good),
            "duplicates": len(good) - len({str(r["to"]) for r in good}),
        }
        return Answer(200, counts | {"errors": faults[:100], "error_count": len(faults), "rendered": shown})

    def add_template(self, name: str, draft: dict[str, Any] | None = None, *, published: int = 1) -> None:
        variant = {"channel": "email", "locale": "en", "subject": "Dear {{ name }}", "text": "Hi"}
        variables = [{"name": "name"}, {"name": "total", "type": "number"}]
        draft = draft or {"variants": [variant], "variables": variables, "from": "Shop <hi@shop.example>"}
        versions = [{"name": name, "version": n, "draft": draft} for n in range(published, 0, -1)]
        self.templates[name] = {"name": name, "draft": draft, "published": published, "versions": versions}

    def template(self, name: str) -> dict[str, Any]:
        if name not in self.templates:
            raise Problem(404, "template_unknown", f"there is no template {name!r}")
        return self.templates[name]

    def version(self, reference: str) -> dict[str, Any]:
        name, _, number = reference.partition("@")
        return next(one for one in self.template(name)["versions"] if number in {"", str(one["version"])})

    def see_template(self, asked: Asked, name: str) -> Answer:
        return Answer(200, {key: value for key, value in self.template(name).items() if key != "versions"})

    def save_template(self, asked: Asked, name: str) -> Answer:
        draft = asked.json
        for place, variant in enumerate(draft["variants"]):
            for part in ("subject", "html", "text"):
                at = (variant.get(part) or "").find("{{ }}")
                if at >= 0:
                    line = variant[part].count("\n", 0, at) + 1
                    fault = {"code": "template_syntax", "detail": "empty expression", "line": line, "column": 1}
                    fault |= {"pointer": f"/variants/{place}/{part}", "part": part, "variant": "email.en"}
                    raise Problem(422, "invalid", "empty expression", errors=[fault], error_count=1)
        old = self.templates.get(name, {"name": name, "published": 0, "versions": []})
        self.templates[name] = old | {"draft": draft}
        return self.see_template(asked, name)

    def publish_template(self, asked: Asked, name: str) -> Answer:
        kept = self.template(name)
        if not kept["versions"] or kept["versions"][0]["draft"] != kept["draft"]:
            kept["published"] += 1
            kept["versions"].insert(0, {"name": name, "version": kept["published"], "draft": kept["draft"]})
        return Answer(200, kept["versions"][0])

    def list_templates(self, asked: Asked) -> Answer:
        views = [{key: one[key] for key in ("name", "draft", "published")} for one in self.templates.values()]
        return page(views, asked)

    def list_versions(self, asked: Asked, name: str) -> Answer:
        return Answer(200, {"items": self.template(name)["versions"], "next_cursor": None})

    def preview(self, asked: Asked, name: str) -> Answer:
        variant = self.template(name)["draft"]["variants"][0]
        shown = {"subject": variant["subject"], "text": f"Hi {asked.json.get('data')}\nBye", "bytes": 12, "html": None}
        return Answer(200, shown | {"version": asked.json.get("version")})

    def provider(self, name: str) -> dict[str, Any]:
        if name not in self.providers:
            raise Problem(404, "not_found", f"there is no provider {name!r}")
        return self.providers[name]

    def see_provider(self, asked: Asked, name: str) -> Answer:
        return Answer(200, self.provider(name))

    def list_providers(self, asked: Asked) -> Answer:
        return page(list(self.providers.values()), asked)

    def save_provider(self, asked: Asked, name: str) -> Answer:
        body = asked.json
        if self.providers.get(name, {}).get("managed_by") == "file":
            raise Problem(409, "managed_by_file", "it stands in pagerd.toml", current_state="managed_by_file")
        credential = {"set": True, "fingerprint": "ab12"} if "credential" in body else None
        self.providers[name] = {
            "name": name,
            "kind": body["kind"],
            "channel": body.get("channel", "email"),
            "settings": body.get("settings", {}),
            "credential": credential,
            "enabled": body.get("enabled", True),
            "paused": None,
            "managed_by": "api",
            "health": {},
        }
        return Answer(200, self.providers[name])

    def control_provider(self, asked: Asked, name: str, verb: str) -> Answer:
        provider = self.provider(name)
        if verb == "test":
            provider["health"] = {"ok": provider["kind"] != "broken", "detail": "220 ready"}
        else:
            reason = asked.json.get("reason", "paused") if asked.body else "paused"
            provider["paused"] = reason if verb == "pause" else None
        return Answer(200, provider)

    def search(self, asked: Asked) -> Answer:
        found = [
            timeline(kept, one)
            for kept in self.sessions.values()
            for one in kept.people
            if one["to"] == asked.json["to"] and asked.json.get("session") in {None, one["session"]}
        ]
        return Answer(200, {"items": found, "next_cursor": None})

    def events(self, asked: Asked, id: str) -> Iterator[bytes]:
        """The frames of a session: whenever it changes, an event whose id is a digest of it."""
        kept = self.kept(id)
        heard = asked.headers.get("last-event-id", "")
        self.heard.append(heard)
        for _ in range(self.events_per_connection):
            with self.changed:
                while mark(kept.view) == heard and not self.closing:
                    self.changed.wait()
                if self.closing:
                    return
                view = dict(kept.view)
            heard = mark(view)
            done = view["state"] not in {"running", "paused", "scheduled", "staging", "ready"}
            yield f"id: {heard}\nevent: {'finished' if done else 'progress'}\ndata: {json.dumps(view)}\n\n".encode()
            if done:
                return


def mark(view: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()[:16]


def new_view(id: str, body: dict[str, Any], *, live: bool) -> dict[str, Any]:
    return {
        "id": id,
        "state": "running",
        "live": live,
        "template": body["template"],
        "channel": body.get("channel", "email"),
        "batch_size": body.get("batch_size", 5),
        "priority": body.get("priority", "bulk"),
        "on_invalid": body.get("on_invalid", "fail"),
        "on_doubt": body.get("on_doubt", "resend"),
        "round": 1,
        "total": 0,
        **dict.fromkeys(("told", "withheld", "not_told", "in_doubt", "to_go", "possible_duplicates"), 0),
        "outcomes": dict.fromkeys(STATES, 0),
        "receipts": {"delivered": 0, "bounced": 0, "complained": 0, "none": 0},
        "reasons": [],
        "batches": {"total": 1},
        "rate_per_second": None,
        "estimated_finish_at": None,
        "send_at": body.get("send_at"),
        "expires_at": body.get("expires_at"),
        "created_at": "2026-11-22T10:00:00Z",
        "started_at": None,
        "finished_at": None,
    }


def new_person(session: str, line: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"rcp_{session[4:]}{line:06}",
        "session": session,
        "batch": f"bat_{session[4:]}{(line + 4) // 5}",
        "line": line,
        "to": row["to"],
        "state": "pending",
        "attempts": 0,
        "possible_duplicate": False,
        "reason": None,
        "reference": row.get("id"),
        "not_before": None,
    }


def shown(person: dict[str, Any]) -> dict[str, Any]:
    reason = person["reason"]
    return person | {"reason": reason and {"retryable": reason["class"] == "transient"} | reason}


def timeline(kept: Kept, person: dict[str, Any]) -> dict[str, Any]:
    attempt = {"round": 1, "token": 1, "provider": "mail", "outcome": "ok", "code": "250 2.0.0", "text": "queued"}
    attempts = [attempt | {"started_at": "2026-11-22T10:00:02Z", "ended_at": "2026-11-22T10:00:03Z"}]
    view = kept.view
    return {
        "recipient": shown(person),
        "session_state": view["state"],
        "template": view["template"],
        "created_at": view["created_at"],
        "attempts": attempts if person["state"] == "accepted" else [],
    }


def page(items: list[Any], asked: Asked) -> Answer:
    limit, start = int(asked.query.get("limit", 50)), int(asked.query.get("cursor", 0))
    more = start + limit < len(items)
    return Answer(200, {"items": items[start : start + limit], "next_cursor": str(start + limit) if more else None})


def read_rows(asked: Asked) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of a part, and what is wrong with them: an address without @."""
    import csv
    import io

    rows, faults = [], []
    if asked.headers["content-type"] == "text/csv":
        delimiter = {"tab": "\t"}.get(asked.query.get("delimiter", ","), asked.query.get("delimiter", ","))
        reader = csv.reader(io.StringIO(asked.body.decode("utf-8-sig"), newline=""), delimiter=delimiter)
        header = [cell.strip().lower() for cell in next(reader)]
        line = reader.line_num
        for cells in reader:
            if any(cells):
                row = dict(zip(header, cells, strict=False))
                row["to"] = row.pop("to", None) or row.pop("email", "")
                rows.append((line + 1, row))
            line = reader.line_num
    else:
        rows = [(at, json.loads(text)) for at, text in enumerate(asked.body.splitlines(), 1) if text.strip()]
    for line, row in rows:
        if "@" not in str(row["to"]):
            faults.append({"code": "address_invalid", "detail": f"{row['to']!r} is no address", "line": line})
    return [row for _, row in rows], faults


ROUTES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/sessions", Desk.create),
    ("GET", "/v1/sessions", Desk.list_sessions),
    ("GET", "/v1/sessions/([^/]+)", Desk.look),
    ("PUT", "/v1/sessions/([^/]+)/parts/([0-9]+)", Desk.put_part),
    ("GET", "/v1/sessions/([^/]+)/parts", Desk.list_parts),
    ("POST", "/v1/sessions/([^/]+)/start", Desk.start),
    ("POST", "/v1/sessions/([^/]+)/(pause|resume|cancel)", Desk.control),
    ("POST", "/v1/sessions/([^/]+)/redrive", Desk.redrive),
    ("GET", "/v1/sessions/([^/]+)/recipients", Desk.recipients),
    ("GET", "/v1/sessions/([^/]+)/batches", Desk.batches),
    ("POST", "/v1/sessions/check", Desk.check),
    ("GET", "/v1/templates", Desk.list_templates),
    ("GET", "/v1/templates/([^/]+)", Desk.see_template),
    ("PUT", "/v1/templates/([^/]+)", Desk.save_template),
    ("POST", "/v1/templates/([^/]+)/publish", Desk.publish_template),
    ("GET", "/v1/templates/([^/]+)/versions", Desk.list_versions),
    ("POST", "/v1/templates/([^/]+)/preview", Desk.preview),
    ("GET", "/v1/providers", Desk.list_providers),
    ("GET", "/v1/providers/([^/]+)", Desk.see_provider),
    ("PUT", "/v1/providers/([^/]+)", Desk.save_provider),
    ("POST", "/v1/providers/([^/]+)/(test|pause|resume)", Desk.control_provider),
    ("POST", "/v1/messages", Desk.message),
    ("GET", "/v1/messages/([^/]+)", Desk.message_seen),
    ("POST", "/v1/recipients/search", Desk.search),
    ("GET", "/v1/recipients/([^/]+)", Desk.recipient),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    desk: Desk

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _handle(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
        self.desk.asked.append(asked)
        mishap = self._mishap(asked)
        if mishap is not None and mishap.broken == "before":
            return self._break()
        if mishap is not None and mishap.answer is not None:
            return self._send(mishap.answer)
        try:
            if asked.path.endswith("/events"):
                return self._events(asked)
            answer = self.desk.answer(asked)
        except Problem as problem:
            answer = problem.answer
        if mishap is not None and mishap.broken == "after":
            return self._break()
        return self._send(answer)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815

    def _mishap(self, asked: Asked) -> Mishap | None:
        for mishap in self.desk.mishaps:
            if f"{asked.method} {asked.path}".startswith(mishap.matches):
                self.desk.mishaps.remove(mishap)
                return mishap
        return None

    def _break(self) -> None:
        self.close_connection = True

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in ({"content-type": "application/json", "request-id": "req-1"} | answer.headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self, asked: Asked) -> None:
        if not self.desk.speaks_events:
            raise Problem(404, "not_found")
        name = asked.path.split("/")[3]
        self.desk.kept(name)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b": welcome\n\n")
        try:
            for frame in self.desk.events(asked, name):
                self.wfile.write(frame)
        except (BrokenPipeError, ConnectionResetError):
            pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def opened(desk: Desk) -> Iterator[str]:
    """Serve a desk on a free port of loopback; gives its address."""
    handler = type("Handler", (_Handler,), {"desk": desk})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        with desk.changed:
            desk.closing = True
            desk.changed.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()
