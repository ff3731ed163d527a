"""An installation under fire: a sink, a server that may die at any moment, and a client that does not give up."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from .processes import PATIENCE, Server, Sink, environment, until

FINISHED = ("completed", "completed_with_failures", "failed", "cancelled", "expired")
UNSETTLED = ("pending", "deferred", "sending", "in_doubt")
PAGE = 500
TEMPLATE = {
    "variants": [
        {
            "channel": "email",
            "locale": "en",
            "subject": "{{ name }}, your order {{ order }}",
            "text": "Dear {{ name }},\n\n.a line that begins with a dot\nYour order {{ order }} has left.\n",
            "html": "<p>Dear {{ name }}</p><p>Your order <b>{{ order }}</b> has left.</p>",
        }
    ],
    "variables": [{"name": "name", "type": "string", "required": True}, {"name": "order", "type": "string"}],
}


class Reply(NamedTuple):
    """What the API answered."""

    status: int
    headers: dict[str, str]
    body: Any


class Died(Exception):
    """The server did not answer: it is gone, or it went while it answered."""


class Installation(NamedTuple):
    """A data directory that is ready to be copied, and the key to its API."""

    data: Path
    key: str

    def copy(self, to: Path) -> Installation:
        """Return a copy: each test has its own."""
        return Installation(Path(shutil.copytree(self.data, to)), self.key)


def installed(folder: Path) -> Installation:
    """Return a new installation with a key and a published template."""
    data = folder / "installed"
    data.mkdir(parents=True)
    key = offline(data, "issue-key")[-1]
    with River(folder, Installation(data, key)) as river:
        river.server.start()
        assert river.ask("PUT", "/v1/templates/order", TEMPLATE).status in (200, 201)
        assert river.ask("POST", "/v1/templates/order/publish").status == 200
        assert river.server.stop() == 0
    return Installation(data, key)


def offline(data: Path, what: str) -> list[str]:
    """Return the lines that :mod:`offline` says about an installation whose server is stopped."""
    script = Path(__file__).with_name("offline.py")
    words = [sys.executable, str(script), what]
    done = subprocess.run(words, env=environment(data), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def person(n: int, prefix: str = "p") -> dict[str, Any]:
    """Return recipient ``n``, who gets a mail like nobody else's."""
    return {"to": f"{prefix}{n}@example.com", "data": {"name": f"Ada {n}", "order": f"A-{prefix}-{n}"}}


class River:
    """One installation, its server, its sink and its client; leaving ends both processes."""

    def __init__(
        self,
        folder: Path,
        installation: Installation,
        *,
        settings: Mapping[str, str] | None = None,
        refuse: Mapping[str, str] | None = None,
        beside: Path | None = None,
    ) -> None:
        self.folder = folder
        self.installation = installation
        self.sink = Sink(folder, refuse=refuse, beside=beside)
        self.server = Server(installation.data, self.sink.port, log=folder / "server.log", settings=settings)
        self.people: dict[str, list[str]] = {}

    def __enter__(self) -> River:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.end()
        self.sink.stop()

    # One request

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Return the answer; raise :class:`Died` where there is none."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.installation.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        where = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port or 1, timeout=PATIENCE)
        try:
            connection.request(method, path, raw or None, sent)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Died(str(error)) from error
        finally:
            connection.close()
        said = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, said, json.loads(text) if text else None)

    def insist(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Ask until there is an answer, starting the server anew whenever it died: what a good client does."""
        for _ in range(100):
            self.revive()
            try:
                answer = self.ask(method, path, body, **headers)
            except Died:
                self.server.gone()
                continue
            if answer.status < 500:
                return answer
        raise AssertionError(f"{method} {path}: no answer in 100 lives")

    def revive(self) -> None:
        """Start the server where none is ready."""
        if self.server.url and self.server.running:
            return
        self.server.end()
        while not self.server.start():
            self.server.gone()

    # What people do

    def admit(self, people: Sequence[Mapping[str, Any]], *, batch: int = 5, on_doubt: str = "resend") -> Reply:
        """Tell ``people``; return the answer that admitted them."""
        body = {
            "template": "order",
            "audience": {"recipients": list(people)},
            "batch_size": batch,
            "on_doubt": on_doubt,
        }
        answer = self.insist("POST", "/v1/sessions", body, Idempotency_Key=uuid.uuid4().hex)
        assert answer.status == 202, answer
        self.people[answer.body["id"]] = [each["to"] for each in people]
        return answer

    def upload(self, people: Sequence[Mapping[str, Any]], *, parts: int, batch: int = 5) -> str:
        """Tell a big audience, uploaded in parts; return the session."""
        body = {"template": "order", "audience": {"upload": True}, "batch_size": batch}
        session: str = self.insist("POST", "/v1/sessions", body, Idempotency_Key=uuid.uuid4().hex).body["id"]
        size = -(-len(people) // parts)
        for n in range(parts):
            lines = "".join(json.dumps(each) + "\n" for each in people[n * size : (n + 1) * size]).encode()
            where = f"/v1/sessions/{session}/parts/{n + 1}"
            assert self.insist("PUT", where, lines, Content_Type="application/x-ndjson").status == 200
        counted = {"parts": parts, "recipients": len(people)}
        started = self.insist("POST", f"/v1/sessions/{session}/start", counted)
        assert started.status == 202, started
        self.people[session] = [each["to"] for each in people]
        return session

    def look(self, session: str) -> dict[str, Any]:
        """Return a session, whose balance must be right whenever it is looked at."""
        found = self.insist("GET", f"/v1/sessions/{session}")
        assert found.status == 200, found
        return balanced(found.body)

    def finished(self, session: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Return a session once it is over, and everybody in it is settled: a cancelled one takes a moment."""
        found = {}

        def probe() -> dict[str, Any] | None:
            found["last"] = self.look(session)
            over = found["last"]["state"] in FINISHED and not found["last"]["to_go"] + found["last"]["in_doubt"]
            return found["last"] if over else None

        try:
            return until(probe, f"session {session} to finish", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{found}\n{self.server.log_text()[-3000:]}") from None

    def recipients(self, session: str) -> list[dict[str, Any]]:
        """Return the ledger's word on everybody of a session."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self.insist("GET", f"/v1/sessions/{session}/recipients?{urlencode(query)}")
            assert page.status == 200, page
            found += page.body["items"]
            if page.body["next_cursor"] is None:
                return found
            query["cursor"] = page.body["next_cursor"]

    def recount(self) -> list[str]:
        """Stop the server; return which counters are not what the vectors say."""
        if self.server.running:
            assert self.server.stop() == 0, self.server.log_text()[-3000:]
        return offline(self.installation.data, "recount")


def balanced(view: dict[str, Any]) -> dict[str, Any]:
    """Return a session's view, whose numbers add up."""
    parts = [view[name] for name in ("told", "withheld", "not_told", "in_doubt", "to_go")]
    assert sum(parts) == view["total"], view
    assert sum(view["outcomes"].values()) == view["total"], view
    assert sum(n for name, n in view["batches"].items() if name != "total") == view["batches"]["total"], view
    reasons = view["withheld"] + view["not_told"] + view["in_doubt"]
    assert sum(reason["count"] for reason in view["reasons"]) == reasons, view
    return view
