"""What stands in the way at a start is told in words: what happened, where, what to do. Never a traceback."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import COMMAND, Start, environment, pagerd, taken_port

_CAPBSET_DROP = 24
_OVERRIDE, _READ_SEARCH = 1, 2


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Hold a refusal to its form."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("pagerd: "), done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with taken_port() as port:
        done = pagerd("serve", "--data", "d", "--port", str(port), folder=tmp_path)
    refused(done, f"127.0.0.1:{port}", "in use", "do:", "--port")


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["dev", "--port", "0"], ["migrate"]])
def test_a_data_directory_that_another_process_uses(start: Start, tmp_path: Path, command: list[str]) -> None:
    server = start()
    done = pagerd(*command, "--data", str(server.data), folder=tmp_path)
    refused(done, str(server.data), f"pid {server.process.pid}", "do:")


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_a_data_directory_that_can_not_be_made(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("a file stands where the folder should be")
    done = pagerd(command, "--data", "file/data", "--port", "0", folder=tmp_path)
    refused(done, "file/data", "do:")


@pytest.mark.parametrize("command", ["serve", "dev", "check"])
def test_a_data_directory_without_rights(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    arguments = [] if command == "check" else ["--port", "0"]
    done = subprocess.run(
        [*COMMAND, command, "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=60,
        check=False,
        preexec_fn=_without_override if os.getuid() == 0 else None,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = done.stderr + done.stdout
    assert str(data) in said
    assert "do:" in said


def _without_override() -> None:
    """Give up root's right to ignore the rights of files, for this process and what it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_OVERRIDE, _READ_SEARCH):
        if libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            os.write(2, b"capabilities can't be dropped here\n")
            sys.exit(99)


def test_a_missing_key_file(start: Start, tmp_path: Path) -> None:
    server = start()
    server.stop()
    (server.data / "root.key").unlink()
    done = pagerd("serve", "--data", str(server.data), "--port", "0", folder=tmp_path)
    refused(done, "root.key", "do:", "backup")


def test_the_key_file_of_another_installation(start: Start, tmp_path: Path) -> None:
    server = start()
    server.stop()
    (server.data / "root.key").unlink()
    assert pagerd("keys", "create", "--data", str(server.data), folder=tmp_path).returncode == 0
    done = pagerd("serve", "--data", str(server.data), "--port", "0", folder=tmp_path)
    refused(done, "root key", "do:")


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("not a key\n", 0o600, "line 1"),
        ("", 0o600, "holds no key"),
        ("00" * 32, 0o644, "chmod 600"),
    ],
)
def test_a_key_file_that_can_not_be_used(tmp_path: Path, content: str, mode: int, words: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    key = data / "root.key"
    key.write_text(content)
    key.chmod(mode)
    refused(pagerd("serve", "--data", str(data), "--port", "0", folder=tmp_path), "root.key", words)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["migrate"], ["check", "--recount"]])
def test_a_database_of_a_newer_version_is_not_touched(start: Start, tmp_path: Path, command: list[str]) -> None:
    server = start()
    server.stop()
    database = server.data / "pagerd.db"
    with sqlite3.connect(database) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    done = pagerd(*command, "--data", str(server.data), folder=tmp_path)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "newer version" in said
    assert "9999" in said
    assert "Traceback" not in said
    with sqlite3.connect(database) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    raw.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "pagerd.db").write_bytes(b"this is a letter, not a database" * 100)
    refused(pagerd("serve", "--data", str(data), "--port", "0", folder=tmp_path), "pagerd.db", "database")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"port = = 3\n", ["pagerd.toml", "line 1", "column"]),
        (b"log = 'caf\xe9'\n", ["pagerd.toml", "UTF-8", "byte 10"]),
        (b"\n\nprot = 8400\n", ["pagerd.toml, line 3", "'prot'", "'port'"]),
        (b"[worker]\nlanse = 3\nwindow = 0\n", ["line 2", "'lanes'", "line 3", "worker.window = 0"]),
        (b"[providers.mail]\nkind = 'smpt'\n", ["line 2", "'smpt'", "'smtp'"]),
        (b"[providers.mail]\nkind = 'smtp'\nurll = 'smtp://127.0.0.1'\n", ["line 3", "'urll'", "'url'"]),
        (b"[providers.mail]\nkind = 'smtp'\nurl = 'http://127.0.0.1'\n", ["line", "url must begin with smtp://"]),
        (b"[providers.mail]\nurl = 'smtp://127.0.0.1'\n", ["line 1", "says no kind"]),
        (b"store = 'mysql://me:secret@localhost/pagerd'\n", ["is nothing that Pager knows", "sqlite", "postgresql"]),
        (b"store = 'postgresql://localhost/pagerd'\n", ["key_store", "a second database"]),
        (b"queue = 'rabbit://localhost'\n", ["queue", "kafka://"]),
        (b"cache = 'memcached://localhost'\n", ["cache", "redis://"]),
        (b"store = 'sqlite:///pagerd.db'\n", ["./"]),
    ],
)
def test_a_settings_file_with_mistakes(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "pagerd.toml").write_bytes(content)
    refused(pagerd("serve", "--port", "0", folder=tmp_path), *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pagerd.toml"], "nothing was made"


def test_a_mistake_in_the_environment_is_named_as_it_is_written(tmp_path: Path) -> None:
    done = pagerd("serve", folder=tmp_path, PAGERD_WORKER__LANSE="3")
    refused(done, "PAGERD_WORKER__LANSE in the environment", "'lanes'")


@pytest.mark.parametrize("role", ["api", "worker"])
def test_one_role_a_process_needs_a_store_that_can_be_shared(tmp_path: Path, role: str) -> None:
    refused(pagerd(role, "--port", "0", folder=tmp_path), "a file has one server", "postgresql://", "pagerd serve")
    assert list(tmp_path.iterdir()) == [], "nothing was made"


@pytest.mark.parametrize("role", ["migrate-store"])
def test_roles_that_are_to_come_say_so(tmp_path: Path, role: str) -> None:
    done = pagerd(role, "--whatever", folder=tmp_path)
    assert done.returncode == 2
    assert "comes with scale-out" in done.stderr


def test_a_mistyped_option_is_a_usage_error(tmp_path: Path) -> None:
    done = pagerd("serve", "--prot", "1", folder=tmp_path)
    assert done.returncode == 2
    assert "--port" in done.stderr
