"""What is deployed, as far as it can be tried without Docker and without systemd as the first process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from tools.servers.kafka import KafkaServer
from tools.servers.postgres import PostgresServer
from tools.servers.redis import RedisServer

from pagerd import config

from .conftest import Start

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
HIGHEST_EXPOSURE = 15  # of systemd-analyze's 100


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that ``deploy/secrets.sh`` makes."""
    shutil.copy(DEPLOY / "secrets.sh", tmp_path)
    subprocess.run([tmp_path / "secrets.sh"], check=True, capture_output=True)
    return tmp_path / "secrets"


def instructions(stage: int) -> list[tuple[str, str]]:
    """Return the instructions of a stage of the Dockerfile: the word and what follows it."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    chosen = lines[starts[stage] : starts[stage + 1] if stage + 1 < len(starts) else None]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in chosen]


def test_what_the_image_copies_is_enough_to_build_pagerd(tmp_path: Path) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for sources in (rest.split()[:-1] for word, rest in instructions(0) if word == "COPY"):
        for source in (Path(source) for source in sources):
            assert str(source) in allowed, f".dockerignore keeps {source} from the builder"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (tmp_path / source).parent.mkdir(exist_ok=True)
                shutil.copy(ROOT / source, tmp_path / source)
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as made:
        assert {"pagerd/cli/pagerd.py", "pagerd/examples/people.csv"} <= set(made.namelist())


def test_the_image_takes_only_what_is_locked_and_runs_as_nobody_in_particular() -> None:
    installs = [
        step for word, rest in instructions(0) if word == "RUN" for step in rest.split("&&") if " install -" in step
    ]
    assert len(installs) == 3
    assert all("--require-hashes --only-binary :all:" in step or "--no-deps --no-index" in step for step in installs)
    users = [rest for word, rest in instructions(1) if word == "USER"]
    assert users == ["10001:10001"]


def test_the_image_s_health_check_tells_a_server_from_none(start: Start, tmp_path: Path) -> None:
    ((_, rest),) = [(word, rest) for word, rest in instructions(1) if word == "HEALTHCHECK"]
    words = json.loads(rest.partition("CMD ")[2])
    server = start("serve", PAGERD_PORT="0")
    here = [
        words[0].replace("python", sys.executable),
        words[1],
        words[2].replace(":8400", f":{server.url.split(':')[-1]}"),
    ]
    assert subprocess.run(here, check=False).returncode == 0
    server.stop()
    assert subprocess.run(here, check=False, capture_output=True).returncode != 0


def test_the_compose_file_names_only_what_it_defines(compose: Any, secrets: Path) -> None:
    services = compose["services"]
    assert set(services) == {"prepare", "api", "worker-1", "worker-2", "postgres", "redis", "kafka"}
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            completed = how["condition"] == "service_completed_successfully"
            assert completed or "healthcheck" in services[other], (name, other)
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        for source, _, target in (volume.partition(":") for volume in service.get("volumes", [])):
            assert source in compose["volumes"] or (DEPLOY / source).exists(), (name, source)
            assert target.startswith("/")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert {Path(secret["file"]).name for secret in compose["secrets"].values()} == {
        file.name for file in secrets.iterdir()
    }


def test_pagerd_s_containers_can_change_nothing_but_their_data(compose: Any) -> None:
    for name in ("prepare", "api", "worker-1", "worker-2"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert "environment" not in service, (
            "secrets come by file: what is in the environment is shown by docker inspect"
        )


def test_secrets_are_different_each_time_and_never_made_over(secrets: Path) -> None:
    before = {file.name: file.read_text() for file in secrets.iterdir()}
    assert secrets.stat().st_mode & 0o077 == 0
    again = subprocess.run([secrets.parent / "secrets.sh"], check=False, capture_output=True)
    assert again.returncode == 1
    assert {file.name: file.read_text() for file in secrets.iterdir()} == before
    assert len({before["postgres_password"], before["pagerd_password"]}) == 2


def test_the_settings_that_secrets_sh_writes_are_settings(secrets: Path) -> None:
    settings = config.read(secrets / "pagerd.toml", {}, {})
    assert settings.drafts()["mail"].kind == "smtp"


def test_redis_takes_its_configuration(secrets: Path, private_redis: Callable[..., RedisServer]) -> None:
    lines = (line.split(" ", 1) for line in (secrets / "redis.conf").read_text().splitlines())
    settings = {name: value for name, value in lines if name != "requirepass"}
    assert settings["maxmemory-policy"] == "noeviction"
    assert private_redis(settings=settings).answers()


def test_postgres_takes_its_script(
    secrets: Path, tmp_path: Path, private_postgres: Callable[..., PostgresServer]
) -> None:
    server = private_postgres()
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        for statement in ("DATABASE pagerd", "DATABASE pagerd_keys", "ROLE pagerd"):
            connection.execute(f"DROP {statement}")
    script = (DEPLOY / "postgres-init.sh").read_text("utf-8").replace("/run/secrets", str(secrets))
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": server.password}
    subprocess.run(["sh", "-c", script], check=True, capture_output=True, env=os.environ | where)
    password = (secrets / "pagerd_password").read_text()
    with psycopg.connect(f"postgresql://pagerd:{password}@127.0.0.1:{server.port}/pagerd_keys") as connection:
        connection.execute("CREATE TABLE made (id int)")


def test_kafka_takes_its_settings(compose: Any, tmp_path: Path) -> None:
    given = compose["services"]["kafka"]["environment"]
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in given.items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }
    server = KafkaServer(tmp_path / "kafka", settings=settings | {"log.dirs": str(tmp_path / "kafka" / "data")})
    server.folder.mkdir()
    server.prepare()  # which reads them all, and refuses what does not go together
    assert (tmp_path / "kafka" / "data" / "meta.properties").exists()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    here = tmp_path / unit.name.replace("@", "@1")
    here.write_text(unit.read_text("utf-8").replace("/opt/pagerd/bin/pagerd", "/bin/true"), "utf-8")
    analyze = [_needs("systemd-analyze"), "--no-pager"]
    verified = subprocess.run([*analyze, "verify", "--man=no", here], check=False, capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    words = [*analyze, "security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", str(here)]
    exposed = subprocess.run(words, check=False, capture_output=True, text=True)
    assert exposed.returncode == 0, exposed.stdout


def test_all_units_are_hardened_alike_and_outlast_a_drain() -> None:
    texts = [unit.read_text("utf-8") for unit in UNITS]
    assert len(texts) == 3
    assert len({text.partition("# The hardening")[2].partition("[Install]")[0] for text in texts}) == 1
    for text in texts:
        (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
        assert int(seconds) > config.Settings().worker.drain


def test_the_account_of_the_units_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    words = [_needs("systemd-sysusers"), f"--root={tmp_path}", str(DEPLOY / "systemd" / "pagerd.sysusers.conf")]
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "etc" / "passwd").read_text().endswith(":Pager:/var/lib/pagerd:/usr/sbin/nologin\n")


def _needs(program: str) -> str:
    if (found := shutil.which(program)) is None:
        pytest.skip(f"{program} is not here")
    return found
