"""A migrated database file and what stands over it."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated
from pagerd.adapters.sql.sqlite.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "pagerd.db"
    migrated(file)
    return file


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    made = Writer(path)
    yield made
    made.close()


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path)
    yield made
    await made.aclose()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight mebibytes of its own; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this needs the right to mount a small disk; a store with a ceiling is tested everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
