"""The contracts of .importlinter hold, and each of them can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIOLATIONS = {
    "src/pagerd/core/ids.py": "import pagerd.session.chores\nimport sqlite3\n",
    "src/pagerd/adapters/smtp/kind.py": "import pagerd.adapters.capture.rules\nimport pagerd.seal.blob\n",
    "src/pagerd/client/people.py": "import litestar\n",
    "src/pagerd/worker/budget.py": "import pagerd.worker.worker\n",
}
NAMES = (
    "The river: import order is data order",
    "No adapter sees another",
    "Adapters see ports and core only",
    "The client and pagerctl are an island: core words only",
    "Libraries that do I/O stay at the edges",
    "No circles between the files of a room",
)


def linted(folder: Path) -> str:
    """Return what import-linter says of a copy of the source."""
    program = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports; "
    program += "sys.exit(lint_imports(config_filename='.importlinter', cache_dir=None))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the source with the contracts."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_every_contract_holds_and_notices_its_violation(copy: Path) -> None:
    kept = linted(copy)
    for name in NAMES:
        assert f"{name} KEPT" in kept, kept
    for file, lines in VIOLATIONS.items():
        path = copy / file
        path.write_text(path.read_text() + "\n" + lines)
    broken = linted(copy)
    for name in NAMES:
        assert f"{name} BROKEN" in broken, broken


def test_a_new_room_fails_until_it_has_a_place_on_the_drawing(copy: Path) -> None:
    (copy / "src" / "pagerd" / "attic").mkdir()
    (copy / "src" / "pagerd" / "attic" / "__init__.py").write_text('"""What nobody needs."""\n')
    said = linted(copy)
    assert "attic" in said
    assert f"{NAMES[0]} BROKEN" in said or "exhaustive" in said.lower(), said


def test_every_room_has_its_line_in_the_drawing() -> None:
    drawing = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [path.parent.name for path in (ROOT / "src" / "pagerd").glob("*/__init__.py")]
    assert [room for room in rooms if f"\n  {room}/" not in drawing] == []
    for module in ("config.py",):
        assert f"\n  {module}" in drawing


def test_a_rooms_first_file_is_its_caption_and_nothing_else() -> None:
    client = "client"  # its names are what programs import
    for path in (ROOT / "src" / "pagerd").rglob("__init__.py"):
        if path.parent.name not in (client, "pagerd"):
            lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
            assert len(lines) <= 1, path
