"""The lock files have what pyproject.toml asks for, with hashes, and name no place where it comes from."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def pinned(name: str) -> dict[str, str]:
    """Return the versions that a lock file pins."""
    return dict(PINNED.findall((ROOT / "requirements" / f"{name}.txt").read_text("utf-8")))


def names(wanted: list[Any]) -> set[str]:
    """Return the distributions that requirements name, groups inside of groups apart."""
    return {re.match(r"[A-Za-z0-9._-]+", one)[0].lower() for one in wanted if isinstance(one, str)}  # type: ignore[index]


def test_each_lock_has_all_that_is_asked_for() -> None:
    runtime = names(PROJECT["project"]["dependencies"])
    groups = {name: names(wanted) for name, wanted in PROJECT["dependency-groups"].items()}
    assert runtime - pinned("runtime").keys() == set(), "make lock"
    assert groups["build"] - pinned("build").keys() == set(), "make lock"
    assert (runtime | groups["build"] | groups["dev"]) - pinned("dev").keys() == set(), "make lock"


def test_the_locks_agree() -> None:
    everything = pinned("dev")
    for name in ("runtime", "build"):
        assert {one: version for one, version in pinned(name).items() if everything.get(one) != version} == {}


@pytest.mark.parametrize("name", ["runtime", "build", "dev"])
def test_everything_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_nothing_that_is_installed_with_it_is_gpl() -> None:
    wrong, seen = [], 0
    for name in pinned("runtime"):
        try:
            facts = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        seen += 1
        words = [facts.get("License-Expression") or facts.get("License") or "", *(facts.get_all("Classifier") or [])]
        if any(re.search(r"\bA?GPL|GNU (Affero )?General", word) for word in words):
            wrong.append(name)
    assert seen > 30
    assert wrong == []
