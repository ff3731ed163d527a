"""`pagerctl doctor`: what is wrong, from this machine to the server's innermost, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import Asks, asks
from pagerd.cli.ctl.saying import say, show_json, visible
from pagerd.cli.ctl.shell import FAILED

if TYPE_CHECKING:
    from pagerd.client import Pager

SKEW: Final = 30.0
"""Seconds by which two clocks may differ: scheduled and expiring messages are said in moments."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@click.command()
@asks
def doctor(asks: Asks, /) -> None:
    """Look at everything that must be well: configuration, server, clocks, key, and what the server depends on.

    Exit code 0 if all is well, 1 if not.
    """
    findings = []
    for finding in _examined(asks):
        findings.append(finding)
        if not asks.json:
            _show(finding)
    if asks.json:
        show_json([finding._asdict() for finding in findings])
    if not all(finding.ok for finding in findings):
        raise Exit(FAILED)


def _show(finding: Finding) -> None:
    mark = click.style("ok", fg="green") if finding.ok else click.style("no", fg="red", bold=True)
    say(f"{mark}  {visible(finding.name):15} {visible(finding.detail)}".rstrip())
    if finding.remedy and not finding.ok:
        say(f"    do: {visible(finding.remedy)}")


def _examined(asks: Asks, /) -> Iterator[Finding]:
    """Give findings, from the outside to the inside; where one stands in the way of the next ones, they are left."""
    from pagerd.core.errors import PagerError

    try:
        pager = asks.pager()
    except PagerError as problem:
        yield Finding("configuration", ok=False, detail=problem.detail, remedy=problem.remedy)
        return
    with pager:
        yield from _configured(pager)
        yield from _asked(pager)


def _configured(pager: Pager) -> Iterator[Finding]:
    choice = pager.choice
    server = choice.server
    kind = "live" if server.live else "test"
    yield Finding("configuration", ok=True, detail=f"{server.url} (from {choice.url_from})")
    yield Finding("key", ok=True, detail=f"a {kind} key (from {choice.key_from})")
    if not server.loopback and server.url.startswith("http:"):
        detail = "the key travels readable for everybody on the way"
        yield Finding("encryption", ok=False, detail=detail, remedy="use https:// to this server")


def _asked(pager: Pager) -> Iterator[Finding]:
    """Ask the server how it is."""
    import httpx2  # noqa: F401 - loaded before the clock is looked at

    from pagerd.core.errors import PagerError

    before = datetime.now(UTC)
    try:
        ready = pager.server.ready()
    except PagerError as problem:
        yield Finding("server", ok=False, detail=problem.detail, remedy=problem.remedy)
        return
    after = datetime.now(UTC)
    yield Finding("server", ok=True, detail=f"answers after {(after - before).total_seconds() * 1000:.0f} ms")
    if ready.time is None:
        yield Finding("clock", ok=True, detail="can't be compared: the server does not say what time it has")
    else:
        yield _clock(ready.time, before, after)
    try:
        pager.server.key_is_good()
        yield Finding("key is known", ok=True, detail="the server knows it")
    except PagerError as problem:
        hint = "ask for a new key, or look where this one comes from"
        yield Finding("key is known", ok=False, detail=problem.detail, remedy=problem.remedy or hint)
    for check in ready.checks:
        yield Finding(check.name, ok=check.ok, detail=check.detail, remedy=check.remedy)
    if not ready.ready:
        yield Finding("ready", ok=False, detail="the server can't serve requests", remedy="see above, and its log")


def _clock(time: datetime, before: datetime, after: datetime) -> Finding:
    """Compare clocks. The server says whole seconds, and needed some time to say so."""
    skew = max((before - time).total_seconds() - 1.0, (time - after).total_seconds(), 0.0)
    detail = "agrees with the server's" if skew < 1 else f"is {skew:.0f} s from the server's"
    return Finding("clock", ok=skew <= SKEW, detail=detail, remedy="set both clocks by NTP")


COMMANDS: Final = (doctor,)
