"""``pagerd demo``: a thousand people are told on this machine, and it is shown who was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pagerd.cli.server import child
from pagerd.core.errors import Broken, Misconfigured

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.core.views import SessionView

TOLD: Final = 997
EXPECTED: Final = {("failed", "550 5.1.1"): 2, ("rejected", "address_invalid"): 1}
"""Why three of the thousand are not told: two are refused by the mail server, one address is none."""
_SHOWN: Final = "jurgen.muller@de.example.com"
_HEADERS: Final = ("From", "To", "Subject", "Date", "Message-ID")


def demo() -> None:
    """Run the demonstration; raise :class:`Broken` where it does not come out as it must."""
    examples = examples_folder()
    with tempfile.TemporaryDirectory(prefix="pagerd-demo-") as folder:
        data = Path(folder) / "data"
        print("Starting a server of its own, with an inbox: nothing leaves this machine.", flush=True)
        with child.server(data) as server:
            _tell(server.said, data / "live.key", examples)
        print("\nThe server is stopped and its data removed. To keep one: pagerd dev")


def examples_folder() -> Path:
    """Return the folder with templates and people; raise :class:`Misconfigured` where it is not installed."""
    package = Path(__file__).parents[2]
    for folder in (package / "examples", package.parents[1] / "examples", Path("examples")):
        if (folder / "people.csv").is_file():
            return folder.resolve()
    raise Misconfigured("the examples are not here", remedy="Run it in a checkout of pagerd: make demo.")


def _tell(url: str, key: Path, examples: Path) -> None:
    from pagerd.client import Pager

    environment = {"PAGERCTL_URL": url, "PAGERCTL_KEY_FILE": str(key)}
    templates, people = _short(examples / "templates"), _short(examples / "people.csv")
    if child.shown(["templates", "push", templates, "--publish", "--yes"], environment):
        raise Broken("the templates could not be published")
    child.shown(["send", "order-shipped", people, "--skip-invalid", "--yes"], environment)
    with Pager(url, key_file=key) as pager:
        _check(next(iter(pager.sessions.list(limit=1))))
        _show_mail(pager)


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _check(view: SessionView) -> None:
    reasons = {(one.state, one.code): one.count for one in view.reasons}
    if view.told != TOLD or reasons != EXPECTED:
        raise Broken(f"expected {TOLD} told and {EXPECTED}, found {view.told} and {reasons}")


def _show_mail(pager: Pager) -> None:
    """Print one of the mails as it arrived."""
    found: dict[str, Any] = _asked(pager, f"/v1/captured?to={_SHOWN}")
    mail = _asked(pager, f"/v1/captured/{found['items'][0]['id']}")
    print("\nOne of the mails, as the mail server got it (text part):\n")
    for header in mail["headers"]:
        if header["name"] in _HEADERS:
            print(f"    {header['name']}: {header['value']}")
    print()
    for line in (mail["text"] or "").strip().splitlines():
        print(f"    {line}".rstrip())


def _asked(pager: Pager, path: str) -> dict[str, Any]:
    """Return what the development server answers; its inbox is not part of the client."""
    import json
    from urllib.request import Request, urlopen

    server = pager.choice.server
    request = Request(server.url + path, headers={"Authorization": f"Bearer {server.key}"})  # noqa: S310 - our server
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        value: dict[str, Any] = json.load(answer)
    return value
