"""A backup is taken while the server works; what is restored from it starts paused, and goes on when it is told to."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from .conftest import Server, Start, pagerd


def backed_up(start: Start, tmp_path: Path) -> tuple[Server, Path, dict[str, object]]:
    """Return a running server with a finished and a scheduled session, and the backup that was taken of it."""
    server = start()
    server.publish()
    done = server.send([{"to": f"p{n}@example.com", "data": {"name": f"P{n}"}} for n in range(20)])
    server.finished(done["id"])
    later = server.send(
        [{"to": f"q{n}@example.com", "data": {"name": f"Q{n}"}} for n in range(20)], send_at="2100-01-01T00:00:00Z"
    )
    folder = tmp_path / "backup"
    made = pagerd("backup", str(folder), "--data", str(server.data), folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "root key" in made.stdout
    return server, folder, {"done": done["id"], "later": later["id"]}


def test_it_holds_database_and_keys_apart_and_never_the_root_key(start: Start, tmp_path: Path) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"backup.json", "data/pagerd.db", "keys/keys.db"}
    root = (server.data / "root.key").read_text().splitlines()[-1]
    for name in files:
        content = (folder / name).read_bytes()
        assert root.encode() not in content
        assert bytes.fromhex(root) not in content
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_restored_database_starts_paused_and_goes_on_when_it_is_resumed(start: Start, tmp_path: Path) -> None:
    server, folder, ids = backed_up(start, tmp_path)
    key = server.key
    server.stop()
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    (other / "data" / "root.key").write_bytes((server.data / "root.key").read_bytes())
    (other / "data" / "root.key").chmod(0o600)
    put = pagerd("restore", str(folder), "--data", str(other / "data"), folder=tmp_path)
    assert put.returncode == 0, put.stderr
    assert "pauses every unfinished session" in put.stdout

    restored = start(folder=other)
    later = restored.ask("GET", f"/v1/sessions/{ids['later']}", key=key).json()
    done = restored.ask("GET", f"/v1/sessions/{ids['done']}", key=key).json()
    assert later["state"] == "paused"
    assert "restored from a backup" in later["pause_reason"]
    assert (done["state"], done["told"]) == ("completed", 20)
    assert restored.ask("POST", f"/v1/sessions/{ids['later']}/resume", key=key).json()["state"] == "scheduled"
    people = restored.ask("GET", f"/v1/sessions/{ids['later']}/recipients", key=key).json()["items"]
    assert people[0]["to"] == "q0@example.com", "what was sealed can be read"

    restored.stop()
    again = start(folder=other)
    assert again.ask("GET", f"/v1/sessions/{ids['later']}", key=key).json()["state"] == "scheduled"


def test_a_backup_is_never_written_over_anything(start: Start, tmp_path: Path) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    again = pagerd("backup", str(folder), "--data", str(server.data), folder=tmp_path)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_data_in_place_is_only_put_aside_when_that_is_asked_for(start: Start, tmp_path: Path) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    held = pagerd("restore", str(folder), "--data", str(server.data), "--replace", folder=tmp_path)
    assert held.returncode == 1
    assert f"pid {server.process.pid}" in held.stderr
    server.stop()
    kept = pagerd("restore", str(folder), "--data", str(server.data), folder=tmp_path)
    assert kept.returncode == 1
    assert "--replace" in kept.stderr
    put = pagerd("restore", str(folder), "--data", str(server.data), "--replace", folder=tmp_path)
    assert put.returncode == 0, put.stderr
    assert len(list(server.data.glob("pagerd.db.*Z"))) == 1, "the old one is still there"


def test_a_damaged_or_incomplete_backup_is_refused(start: Start, tmp_path: Path) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    server.stop()
    target = str(tmp_path / "target")
    with (folder / "data" / "pagerd.db").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16)
    damaged = pagerd("restore", str(folder), "--data", target, folder=tmp_path)
    assert (damaged.returncode, "SHA-256" in damaged.stderr) == (1, True)
    (folder / "keys" / "keys.db").unlink()
    (folder / "data" / "pagerd.db").unlink()
    incomplete = pagerd("restore", str(folder), "--data", target, folder=tmp_path)
    assert (incomplete.returncode, "missing" in incomplete.stderr) == (1, True)
    (folder / "backup.json").unlink()
    none = pagerd("restore", str(folder), "--data", target, folder=tmp_path)
    assert (none.returncode, "no backup" in none.stderr) == (1, True)


def test_the_root_key_of_another_installation_is_noticed_before_anything_is_replaced(
    start: Start, tmp_path: Path
) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    server.stop()
    target = tmp_path / "target"
    assert pagerd("keys", "create", "--data", str(target), folder=tmp_path).returncode == 0
    done = pagerd("restore", str(folder), "--data", str(target), folder=tmp_path)
    assert done.returncode == 1
    assert "does not open this backup" in done.stderr
    assert not (target / "pagerd.db").exists()


def test_a_backup_of_a_newer_version_is_refused(start: Start, tmp_path: Path) -> None:
    server, folder, _ = backed_up(start, tmp_path)
    server.stop()
    manifest = json.loads((folder / "backup.json").read_text())
    (folder / "backup.json").write_text(json.dumps(manifest | {"revision": "9999"}))
    done = pagerd("restore", str(folder), "--data", str(tmp_path / "target"), folder=tmp_path)
    assert done.returncode == 1
    assert "newer version" in done.stderr


def test_a_backup_in_the_middle_of_a_session_is_consistent_and_pauses_it(start: Start, tmp_path: Path) -> None:
    server = start()
    server.publish()
    people = [{"to": f"p{n}@example.com", "data": {"name": f"P{n}"}} for n in range(3000)]
    session = server.send(people)
    folder = tmp_path / "backup"
    assert pagerd("backup", str(folder), "--data", str(server.data), folder=tmp_path).returncode == 0
    assert server.finished(session["id"])["told"] == 3000, "the server went on"
    key = server.key
    server.stop()
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    (other / "data" / "root.key").write_bytes((server.data / "root.key").read_bytes())
    (other / "data" / "root.key").chmod(0o600)
    assert pagerd("restore", str(folder), "--data", str(other / "data"), folder=tmp_path).returncode == 0
    counted = pagerd("check", "--recount", "--data", str(other / "data"), folder=tmp_path)
    assert counted.returncode == 0, counted.stdout
    restored = start(folder=other)
    view = restored.ask("GET", f"/v1/sessions/{session['id']}", key=key).json()
    assert view["told"] + view["withheld"] + view["not_told"] + view["in_doubt"] + view["to_go"] == view["total"]
    assert view["state"] in ("paused", "completed"), "completed only if the backup came too late"
    counted = pagerd("check", "--recount", "--data", str(other / "data"), folder=tmp_path)
    assert counted.returncode == 0, counted.stdout
