"""`pagerctl send`: tell everybody in a file, or one person, and see it through."""

from __future__ import annotations

import hashlib
import json
import uuid
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from pagerd.cli.ctl.asking import Asks, asks
from pagerd.cli.ctl.saying import note, say, show_json
from pagerd.cli.ctl.shell import MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.cli.ctl.audience import Audience
    from pagerd.cli.ctl.order import Template, Words
    from pagerd.client import Pager


@click.command()
@click.argument("template", metavar="TEMPLATE")
@click.argument("file", metavar="[FILE|-]", required=False)
@click.option("--to", "addresses", multiple=True, metavar="ADDRESS", help="Tell this person instead of a file.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A variable that everybody shares; a row's own wins.")
@click.option("--channel", help="By what: email, sms … (not needed where the template has only one).")
@click.option("--from", "sender", metavar="ADDRESS", help="From whom, such as 'Shop <hi@shop.example>'.")
@click.option("--locale", help="In which language, for people who do not say theirs.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Take a variable (or `to`) from a column.")
@click.option("--delimiter", type=click.Choice([",", ";", "tab"]), help="What is between CSV cells (guessed otherwise).")
@click.option("--batch-size", type=click.IntRange(1), help="How many people make one batch.")
@click.option("--at", metavar="WHEN", help="Send then: '2026-12-24 18:00' here, or with an offset from UTC.")
@click.option("--check", is_flag=True, help="Only say what is wrong and what would be sent.")
@click.option("--skip-invalid", is_flag=True, help="Leave out people who can't be told, instead of sending nothing.")
@click.option("--hold", is_flag=True, help="Where it is not known whether somebody was told, never tell them again.")
@click.option("--detach", is_flag=True, help="Return as soon as it is under way.")
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS", help="Follow it only so long.")
@click.option("--again", is_flag=True, help="Send it even if the same was sent within 24 hours.")
@click.option("--yes", is_flag=True, help="Don't ask (for scripts).")
@asks
def send(asks: Asks, template: str, file: str | None, addresses: tuple[str, ...], **typed: Any) -> None:
    """Tell everybody in FILE (CSV or NDJSON; - is standard input), or the people after --to.

    \b
    pagerctl send order-shipped people.csv
    pagerctl send order-shipped people.csv --check
    pagerctl send order-shipped export.csv --map to='E-Mail' --map name='First name'
    pagerctl send login-code --to ada@example.com --data code=123
    zcat people.ndjson.gz | pagerctl send news - --yes --detach

    Says who, from whom and how many before it sends, then counts rows uploaded, then people told. The same file,
    template version and options within 24 hours follow the session that exists instead of sending twice. Ctrl-C
    leaves the session running.

    \b
    Exit codes: 0 nobody is not told   1 an error      2 wrong use         3 some are not told
                4 nobody told          5 not over yet  130 interrupted
    """
    if (file is None) == (not addresses):
        raise Refusal("say whom to tell: a FILE, or --to ADDRESS", do="pagerctl send --help", code=MISUSED)
    job = _Job(asks, template, typed)
    raise click.exceptions.Exit(job.file(file) if file is not None else job.addresses(addresses))


class _Job:
    """One run of the command."""

    def __init__(self, asks: Asks, template: str, typed: dict[str, Any]) -> None:
        self.asks = asks
        self.template = template
        self.typed = typed

    def file(self, name: str) -> int:
        """Tell the people of a file; return the exit code."""
        from pagerd.cli.ctl.audience import audience_of
        from pagerd.cli.ctl.cells import pairs
        from pagerd.cli.ctl.files import opened
        from pagerd.cli.ctl.order import published

        mapping = pairs(self.typed["mapping"], "--map")
        delimiter = "\t" if self.typed["delimiter"] == "tab" else self.typed["delimiter"]
        with self.asks.pager() as pager, opened(name) as source:
            template = published(pager, self.template)
            variables = template.draft.variables
            known = variables if isinstance(variables, list) else []
            audience = audience_of(source, known, mapping, delimiter)
            session = self._told(pager, template, audience)
        return session if isinstance(session, int) else self._end(session)
