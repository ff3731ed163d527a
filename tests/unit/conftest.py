"""The river for the tests of its rooms: over memory, or over memory and SQLite each."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def rivers() -> ModuleType:
    """What ``river.py`` beside this file defines."""
    name = "pager_river"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("river.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
async def river(rivers: ModuleType, tmp_path: Path) -> AsyncIterator[Any]:
    """The rooms over memory; at the end everything is recounted."""
    async with rivers.over_memory(tmp_path) as made:
        yield made
        await made.audit()


@pytest.fixture(params=["memory", "sqlite"])
async def both(request: pytest.FixtureRequest, rivers: ModuleType, tmp_path: Path) -> AsyncIterator[Any]:
    """The rooms over memory, and over SQLite; at the end everything is recounted."""
    opening = rivers.over_memory if request.param == "memory" else rivers.over_sqlite
    async with opening(tmp_path) as made:
        yield made
        await made.audit()
