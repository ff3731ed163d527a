"""`pagerd check`: looks at everything beside a server, changes nothing, and proves the counters."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .conftest import Start, pagerd, taken_port


def test_before_the_first_start_it_says_what_will_be_made_and_makes_nothing(tmp_path: Path) -> None:
    done = pagerd("check", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not there yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_beside_a_running_server_everything_is_tried_and_recounted(start: Start, tmp_path: Path) -> None:
    server = start()
    server.publish()
    session = server.send([{"to": f"p{n}@example.com", "data": {"name": f"P{n}"}} for n in range(100)])
    server.finished(session["id"])
    draft = {"kind": "smtp", "settings": {"url": f"smtp://{server.smtp}"}}
    assert server.ask("PUT", "/v1/providers/mail", draft).status_code == 200
    done = pagerd("check", "--recount", "--data", str(server.data), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"pid {server.process.pid}" in done.stdout
    assert "provider mail" in done.stdout
    assert "1 sessions and 0 messages: 20 batches, 100 people" in done.stdout


def test_a_provider_that_does_not_answer_is_named(start: Start, tmp_path: Path) -> None:
    server = start()
    server.stop()
    with taken_port() as port:
        pass
    (tmp_path / "pagerd.toml").write_text(f"[providers.mail]\nkind = 'smtp'\nurl = 'smtp://127.0.0.1:{port}'\n")
    done = pagerd("check", "--data", str(server.data), folder=tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "provider mail" in line]
    assert line.startswith("WRONG")
    assert str(port) in line


def test_a_counter_that_is_wrong_is_found(start: Start, tmp_path: Path) -> None:
    server = start()
    server.publish()
    session = server.send([{"to": f"p{n}@example.com", "data": {"name": f"P{n}"}} for n in range(10)])
    server.finished(session["id"])
    server.stop()
    with sqlite3.connect(server.data / "pagerd.db") as raw:
        raw.execute("UPDATE session_count SET accepted = accepted - 1, failed = failed + 1")
    raw.close()
    done = pagerd("check", "--recount", "--data", str(server.data), folder=tmp_path)
    assert done.returncode == 1
    assert f"{session['id']}: accepted says 9, the batches say 10" in done.stdout
    assert f"{session['id']}: failed says 1, the batches say 0" in done.stdout


def test_it_finds_the_development_data_of_the_folder_by_itself(start: Start, tmp_path: Path) -> None:
    server = start("dev", "--data", str(tmp_path / ".pagerd"))
    done = pagerd("check", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"pid {server.process.pid}" in done.stdout


def test_a_disk_below_its_reserve_is_told_by_check_readiness_and_admission(start: Start, tmp_path: Path) -> None:
    reserve = str(2**60)
    server = start(PAGERD_DISK_RESERVE=reserve)
    server.publish()
    body = {"template": "shipped", "audience": {"recipients": [{"to": "a@example.com", "data": {"name": "A"}}]}}
    for path in ("/v1/sessions", "/v1/messages"):
        asked = (
            body if path == "/v1/sessions" else {"template": "shipped", "to": "a@example.com", "data": {"name": "A"}}
        )
        answer = server.ask("POST", path, asked)
        assert (answer.status_code, answer.json()["code"]) == (503, "disk_low"), answer.text
        assert int(answer.headers["retry-after"]) > 0
    assert server.http.get("/readyz").status_code == 503
    assert server.ask("GET", "/v1/sessions").json()["items"] == []
    done = pagerd("check", "--data", str(server.data), folder=tmp_path, PAGERD_DISK_RESERVE=reserve)
    assert done.returncode == 1
    assert "reserve" in done.stdout
