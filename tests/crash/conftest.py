"""One installation is made for a whole run; every test gets a copy."""

from __future__ import annotations

import os

import pytest

from .river import Installation, installed


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with a key and a published template, to be copied."""
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(_shared(tmp_path_factory) / "pycache"))
    return installed(tmp_path_factory.mktemp("installation"))


def _shared(factory: pytest.TempPathFactory) -> os.PathLike[str]:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
