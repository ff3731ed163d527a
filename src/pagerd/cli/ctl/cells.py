"""Text to values: the cells of a CSV file and the words after ``--data``, as a variable's type wants them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.core.variables import Variable

_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def from_text(kind: str, text: str) -> Any:
    """Return a text as a value of its type; a text that does not fit stays text, for the server to judge."""
    bare = text.strip()
    try:
        if kind == "integer":
            return int(bare)
        if kind == "number":
            value = int(bare) if bare.lstrip("+-").isdigit() else float(bare)
            return value if math.isfinite(value) else text
        if kind in {"list", "object"}:
            return json.loads(bare)
    except ValueError:
        return text
    return _TRUTH.get(bare.casefold(), text) if kind == "boolean" else text


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Return ``("a=1", "b=2")`` as a mapping; raise for a text without ``=``."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise Refusal(f"{option} {text!r} has no name and value", do=f"write {option} name=value", code=MISUSED)
        found[name.strip()] = value
    return found


def typed(values: Mapping[str, str], variables: Iterable[Variable]) -> dict[str, Any]:
    """Return values as the template's variables want them."""
    kinds = {variable.name: variable.type for variable in variables}
    return {name: from_text(kinds.get(name, "any"), text) for name, text in values.items()}
