"""Two identical requests at the same moment are one session; so are a hundred."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .joining import join
from .processes import until
from .river import Installation, Reply, River, person

CALLERS = 8


def test_identical_requests_at_once_are_one_session(tmp_path: Path, installation: Installation) -> None:
    people = [person(n) for n in range(200)]
    body = {"template": "order", "audience": {"recipients": people}}
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        for round_ in range(3):
            gate = threading.Barrier(CALLERS)

            def call(_: int, key: str = f"round-{round_}", gate: threading.Barrier = gate) -> list[Reply]:
                gate.wait()
                seen: list[Reply] = []

                def probe() -> Reply | None:
                    seen.append(river.ask("POST", "/v1/sessions", body, Idempotency_Key=key))
                    return seen[-1] if seen[-1].status == 202 else None

                until(probe, "the session")
                return seen

            with ThreadPoolExecutor(CALLERS) as pool:
                answers = [reply for seen in pool.map(call, range(CALLERS)) for reply in seen]
            admitted = [reply for reply in answers if reply.status == 202]
            assert {reply.status for reply in answers} <= {202, 409}
            assert len({reply.body["id"] for reply in admitted}) == 1
            assert sum("idempotent-replayed" not in reply.headers for reply in admitted) == 1
            for reply in answers:
                if reply.status == 409:
                    assert reply.body["code"] == "idempotency_in_progress"
                    assert "retry-after" in reply.headers
            assert len(river.ask("GET", "/v1/sessions").body["items"]) == round_ + 1


def test_the_same_key_with_another_body_is_refused(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        body = {"template": "order", "audience": {"recipients": [person(1)]}}
        first = river.ask("POST", "/v1/sessions", body, Idempotency_Key="once")
        assert first.status == 202
        river.people[first.body["id"]] = [person(1)["to"]]
        body["audience"] = {"recipients": [person(2)]}
        again = river.ask("POST", "/v1/sessions", body, Idempotency_Key="once")
        assert (again.status, again.body["code"]) == (422, "idempotency_key_reused")
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (result.told, result.duplicates) == (1, 0)
