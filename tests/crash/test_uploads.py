"""A server that dies while an audience is uploaded, or as it starts: every person once, none half."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from .joining import join
from .river import Installation, River, person

PEOPLE = 3000


def test_a_kill_in_the_middle_of_a_part_leaves_nothing_of_it(tmp_path: Path, installation: Installation) -> None:
    people = [person(n) for n in range(PEOPLE)]
    lines = "".join(json.dumps(each) + "\n" for each in people).encode()
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        body = {"template": "order", "audience": {"upload": True}}
        session = river.insist("POST", "/v1/sessions", body, Idempotency_Key="upload").body["id"]
        part = f"/v1/sessions/{session}/parts/1"
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(river.server.url).port or 0, timeout=10)
        connection.putrequest("PUT", part)
        for name, value in (
            ("Authorization", f"Bearer {river.installation.key}"),
            ("Content-Type", "application/x-ndjson"),
            ("Content-Length", str(len(lines))),
        ):
            connection.putheader(name, value)
        connection.endheaders(lines[: len(lines) // 2])
        river.server.shoot()
        connection.close()
        assert river.insist("GET", f"/v1/sessions/{session}/parts").body["items"] == []
        assert river.insist("PUT", part, lines, Content_Type="application/x-ndjson").status == 200
        river.server.shoot()
        assert river.insist("PUT", part, lines, Content_Type="application/x-ndjson").status == 200  # it replaces
        started = river.insist("POST", f"/v1/sessions/{session}/start", {"parts": 1, "recipients": PEOPLE})
        assert started.status == 202
        river.server.shoot()
        again = river.insist("POST", f"/v1/sessions/{session}/start", {"parts": 1, "recipients": PEOPLE})
        assert (again.status, again.body["total"]) == (202, PEOPLE)
        river.people[session] = [each["to"] for each in people]
        result = join(river, window=200, deaths=1)
        assert result.wrong == []
        assert (result.admitted, result.told) == (PEOPLE, PEOPLE)
