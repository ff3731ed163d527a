"""A river that is not recounted at the end: for tests that plant wrong numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["memory", "sqlite"])
async def both_unaudited(request: pytest.FixtureRequest, rivers: Any, tmp_path: Path) -> AsyncIterator[Any]:
    opening = rivers.over_memory if request.param == "memory" else rivers.over_sqlite
    async with opening(tmp_path) as made:
        yield made
