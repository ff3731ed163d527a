"""Strange requests, made from the interface's own description: the answer is no 5xx, and as described."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from .conftest import Start, environment

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_whatever_is_asked_the_server_answers_as_it_described(start: Start, tmp_path: Path) -> None:
    server = start()
    server.publish()
    session = server.send([{"to": "ada@example.com", "data": {"name": "Ada"}}], send_at="2100-01-01T00:00:00Z")
    document = server.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.session_id" = "{session["id"]}"\n')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"),
            f"--url={server.url}",
            f"--header=Authorization: Bearer {server.key}",
            "--generation-with-security-parameters=false",
            f"--checks={CHECKS}",
            *("--seed=1", "--max-examples=8", "--phases=examples,coverage,fuzzing", "--max-failures=20"),
            "--exclude-path-regex=/events$|api-keys/",  # one does not end, the other would revoke the key in use
            *("--request-timeout=20", "--generation-database=none", "--no-color"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    made, passed = re.findall(r"(\d+) generated, (\d+) passed", done.stdout)[0]
    assert int(made) == int(passed) > 500
    assert "401 Unauthorized" not in done.stdout, "the requests really went in"
    assert server.http.get("/readyz").status_code == 200
    assert "Traceback" not in server.errors.read_text()
