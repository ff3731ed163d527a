"""Every route says who may come in and is described; every error code has a page."""

import ast
import re
from pathlib import Path

import pytest

import pagerd
from pagerd.api import doors
from pagerd.api.app import build
from pagerd.api.error_pages import pages
from pagerd.api.stages import Stages

SOURCE = Path(pagerd.__file__).parent
NOT_OF_THE_INTERFACE = ("client", "cli", "adapters/capture")
"""Rooms whose errors never reach the API."""
REFUSALS = (
    "Refused Malformed Invalid Missing WrongState Gone Conflict TooLarge Unauthenticated Forbidden NotSupportedYet"
)
ERROR_CLASSES = {"Fault", "RenderFailed", "Stale", "UnsupportedMedia", "PagerError", "Unavailable", *REFUSALS.split()}
GIVE_CODES = {
    "RenderFailed",
    "Problem",
    "Flaw",
    "Refusal",
    "fault",
    "_fault",
    "_wrong",
    "unpinnable",
    "add",
    "_malformed",
}
"""What is called with a code among its positional arguments."""
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+")
NEVER_SHOWN = {"error", "broken", "misconfigured", "seal_broken"}
"""Codes of what is broken in us: the asker is told `internal`."""


def nowhere(*_):
    raise AssertionError("no stage is asked while the application is built")


@pytest.fixture(scope="module")
def routes():
    parts = dict.fromkeys(("admission", "uploads", "control", "accounts", "providers", "templates", "keys"))
    stages = Stages(**parts, readiness=nowhere, metrics=nowhere)
    return doors.handlers(build(stages, dev=False).routes)


def test_every_route_declares_a_permission_or_is_public(routes):
    undeclared = [
        f"{sorted(handler.http_methods)} {route.path}"
        for route, handler in routes
        if (handler.opt.get("public") is True) == (handler.opt.get("permission") in doors.PERMISSIONS)
    ]
    assert undeclared == []
    assert len(routes) > 40


def test_what_changes_something_is_never_public(routes):
    public = [route.path for route, handler in routes if handler.opt.get("public") and handler.http_methods != {"GET"}]
    assert public == []


def test_every_handler_says_what_it_does_and_takes(routes):
    for route, handler in routes:
        assert (handler.fn.__doc__ or "").strip(), route.path
        assert isinstance(handler.opt.get("door"), doors.Door), route.path


def test_no_path_has_a_place_for_an_address_or_a_key(routes):
    names = {name for route, _ in routes for name in route.path_parameters}
    assert names <= {"session_id", "recipient_id", "message_id", "key_id", "part", "name", "code"}


def codes(tree: ast.Module) -> set[str]:
    """Return the codes that a module gives to errors and faults, and to the classes of errors."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ERROR_CLASSES:
                found |= {_text(keyword.value) for keyword in node.keywords if keyword.arg == "code"}
            if name in GIVE_CODES:
                found |= {text for text in map(_text, node.args) if CODE.fullmatch(text)}
        if isinstance(node, ast.ClassDef):
            assigned = [one for one in node.body if isinstance(one, ast.Assign)]
            found |= {_text(one.value) for one in assigned if ast.unparse(one.targets[0]) == "code"}
    return found - {""} - NEVER_SHOWN


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def sources():
    for file in sorted(SOURCE.rglob("*.py")):
        inside = file.relative_to(SOURCE).as_posix()
        if not inside.startswith(NOT_OF_THE_INTERFACE):
            yield pytest.param(file, id=inside)


@pytest.mark.parametrize("file", list(sources()))
def test_every_error_code_has_a_page(file):
    missing = codes(ast.parse(file.read_text("utf-8"))) - pages().keys()
    assert missing == set()


def test_the_scan_finds_codes_at_all():
    assert {"not_supported_yet", "wrong_state"} <= codes(ast.parse((SOURCE / "core/errors.py").read_text("utf-8")))
    assert "name_repeated" in codes(ast.parse((SOURCE / "api/jsontext.py").read_text("utf-8")))


def test_every_page_says_something():
    for code, page in pages().items():
        assert code == code.lower().strip()
        assert min(len(page.title), len(page.meaning), len(page.remedy)) > 5, code
        assert page.title[0].isupper(), code
        assert page.meaning.endswith("."), code
        assert page.remedy.endswith("."), code
