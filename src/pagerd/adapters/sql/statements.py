"""Reads statements by name from a ``.sql`` file, so that SQL lives where it can be read as SQL."""

from __future__ import annotations

import importlib.resources
import re
from typing import Final

_NAMED: Final = re.compile(r"^-- name: (\w+)\n(.*?);\s*$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"^--.*\n", re.MULTILINE)


def load(package: str, filename: str) -> dict[str, str]:
    """Return the statements of a package's file, by the name in the comment above each."""
    source = importlib.resources.files(package).joinpath(filename).read_text("utf-8")
    return {name: _COMMENT.sub("", statement).strip() for name, statement in _NAMED.findall(source)}
