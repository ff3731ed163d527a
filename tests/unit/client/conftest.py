"""A desk for every test, and the two pagers that ask it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pagerd.client import AsyncPager, Pager, Patience

HASTY = Patience(first=0.001, most=0.002, poll=0.01)


def _desk_module() -> ModuleType:
    name = "pager_desk"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("desk.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


desk_module = _desk_module()


@pytest.fixture
def desk():
    return desk_module.Desk()


@pytest.fixture
def url(desk) -> Iterator[str]:
    with desk_module.opened(desk) as address:
        yield address


@pytest.fixture
def pager(url: str) -> Iterator[Pager]:
    with Pager(url, desk_module.KEY, patience=HASTY) as pager:
        yield pager


@pytest.fixture
async def apager(url: str) -> AsyncIterator[AsyncPager]:
    async with AsyncPager(url, desk_module.KEY, patience=HASTY) as pager:
        yield pager
