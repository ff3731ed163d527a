"""API keys from the command line, before and beside a server."""

from __future__ import annotations

import re
import stat
import time
from pathlib import Path

from .conftest import Start, pagerd


def test_a_key_is_made_before_the_first_start_and_lets_one_in(start: Start, tmp_path: Path) -> None:
    made = pagerd("keys", "issue", "--name", "shop", "--scope", "all", "--data", "data", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert re.fullmatch(r"pgr_live_\w+", key), "nothing but the key goes to standard output"
    server = start("serve")
    assert server.ask("GET", "/v1/sessions", key=key).status_code == 200


def test_beside_a_server_a_key_is_known_at_once_and_revoked_within_a_second(start: Start, tmp_path: Path) -> None:
    server = start("serve")
    at = ["--data", str(server.data)]
    saved = tmp_path / "shop.key"
    made = pagerd(
        "keys", "issue", "--name", "shop", "--scope", "session.read", "--save", str(saved), *at, folder=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    key = saved.read_text().strip()
    assert key not in made.stdout + made.stderr
    assert server.ask("GET", "/v1/sessions", key=key).status_code == 200
    listed = pagerd("keys", "list", *at, folder=tmp_path).stdout
    assert "shop" in listed
    assert key not in listed
    assert pagerd("keys", "revoke", listed.split()[0], *at, folder=tmp_path).returncode == 0
    until = time.monotonic() + 5
    while server.ask("GET", "/v1/sessions", key=key).status_code == 200:
        assert time.monotonic() < until
    assert "revoked" in pagerd("keys", "list", *at, folder=tmp_path).stdout


def test_an_unknown_scope_is_named_with_the_nearest(tmp_path: Path) -> None:
    done = pagerd("keys", "issue", "--name", "x", "--scope", "session.raed", "--data", "data", folder=tmp_path)
    assert done.returncode == 1
    assert "session.read" in done.stderr


def test_the_root_key_file_is_made_once(tmp_path: Path) -> None:
    first = pagerd("keys", "create", "--data", "data", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    key = tmp_path / "data" / "root.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    content = key.read_bytes()
    second = pagerd("keys", "create", "--data", "data", folder=tmp_path)
    assert second.returncode == 1
    assert "never overwritten" in second.stderr
    assert key.read_bytes() == content
