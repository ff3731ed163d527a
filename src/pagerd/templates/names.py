"""Names of templates, and the one that was probably meant."""

from __future__ import annotations

import re
from typing import Final

from pagerd.core.errors import Fault, Invalid, Missing
from pagerd.core.nearest import did_you_mean
from pagerd.ports.store import Work

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_REFERENCE: Final = re.compile(r"(?P<name>[^@]+)(?:@(?P<version>[1-9]\d{0,8}))?", re.ASCII)
_COMPARED: Final = 1_000


def check_name(name: str) -> None:
    """Raise :class:`Invalid` for a name that no template can have."""
    if _NAME.fullmatch(name) is None:
        detail = f"{name!r} can't be a template's name: lower-case letters, digits and -, at most 100, no - first"
        fault = Fault(code="template_name", detail=detail, pointer="/name")
        raise Invalid(detail, faults=[fault], code=fault.code)


def read_reference(text: str) -> tuple[str, int | None]:
    """Return (name, version) of ``order-shipped@3``, or (name, ``None``) of a bare name."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise unpinnable("template_unknown", f"{text!r} names no template: write NAME or NAME@VERSION")
    return match["name"], None if match["version"] is None else int(match["version"])


def unknown(work: Work, workspace: int, name: str) -> Missing:
    """Return the error for a name that no template has, with the nearest one that some template has."""
    return Missing(_unknown(work, workspace, name), code="template_unknown")


def unknown_reference(work: Work, workspace: int, name: str) -> Invalid:
    """Return the error of :func:`unknown` as a fault of the request that named it."""
    return unpinnable("template_unknown", _unknown(work, workspace, name))


def unpinnable(code: str, detail: str) -> Invalid:
    """Return the error for a reference that a session can't be pinned to: a fault of the field ``template``."""
    return Invalid(detail, faults=[Fault(code=code, detail=detail, pointer="/template")], code=code)


def _unknown(work: Work, workspace: int, name: str) -> str:
    """Return the words for a name that no template has."""
    names = [row.name for row in work.templates.page(workspace, _COMPARED, "")]
    return f"there is no template {name!r}{did_you_mean(name, names)}"
