"""What is written: every error says what it means, every setting is explained, no file names where it was made."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tools import reference

import pagerd
from pagerd.config import Settings
from pagerd.core.errors import PagerError

ROOT = Path(__file__).parents[2]
REGISTRIES = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "deb." + "debian", "crates" + ".io")
WORKPLACE = re.compile(r"(?<![\w.])/" + r"work/|\.\./" + "shared")


def everything() -> None:
    """Import every module of pagerd."""
    for module in pkgutil.walk_packages(pagerd.__path__, "pagerd."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def errors(root: type[PagerError]) -> list[type[PagerError]]:
    """Return an error and all below it."""
    return [root, *(below for child in root.__subclasses__() for below in errors(child))]


def test_every_error_has_a_message_of_its_own() -> None:
    everything()
    found = [kind for kind in errors(PagerError) if kind.__module__.startswith("pagerd.")]
    assert len(found) > 15
    silent = [kind.__qualname__ for kind in found if not (kind.__dict__.get("__doc__") or "").strip()]
    assert silent == []


def test_every_setting_is_explained() -> None:
    rows = [*reference.rows(Settings)]
    for _, kind in reference.tables(Settings):
        rows += reference.rows(kind)
    assert len(rows) > 20
    assert [row.name for row in rows if len(row.meaning) < 15] == []


def test_the_settings_page_is_current() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page(), "make docs"


def test_the_example_of_settings_is_valid_and_names_only_defaults_or_examples() -> None:
    from pagerd import config

    settings = config.read(ROOT / "pagerd.example.toml", {}, {})
    assert settings.providers["mail"]["kind"] == "smtp"
    written = (ROOT / "pagerd.example.toml").read_text("utf-8")
    names = {field.encode_name for field in msgspec.structs.fields(Settings)} - {"testing"}
    assert [name for name in names if name not in written] == []


def test_the_example_of_an_environment_is_valid() -> None:
    from pagerd import config

    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    pairs = dict(line.lstrip("# ").split("=", 1) for line in lines if "PAGERD_" in line and "=" in line)
    assert pairs
    config.read(None, {}, {name: value.strip("\"'") for name, value in pairs.items()})


def files() -> list[Path]:
    """Return the files that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.fail("git is needed to know which files belong to the project")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_the_place_where_it_was_made_or_a_registry() -> None:
    found = []
    for path in files():
        text = path.read_bytes().decode("utf-8", "ignore")
        if WORKPLACE.search(text) or any(host in text for host in REGISTRIES):
            found.append(str(path.relative_to(ROOT)))
    assert found == []


def test_no_module_is_a_dumping_ground() -> None:
    names = {"utils", "util", "common", "helpers", "helper", "manager", "service", "base", "misc"}
    found = [path for path in files() if path.suffix == ".py" and path.stem in names and "src" in path.parts]
    assert found == []


def test_the_commands_start_quickly() -> None:
    """`--help` must not load a server: what it does load is counted, which is steadier than a time."""
    program = "import sys; import pagerd.cli.{0}; print(*sorted(m for m in sys.modules))"
    heavy = {"litestar", "sqlalchemy", "alembic", "uvicorn", "httpx2", "minijinja", "cryptography", "jinja2", "asyncpg"}
    for name in ("pagerd", "pagerctl"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(name)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert heavy & set(done.stdout.split()) == set(), name
