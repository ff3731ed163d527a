"""`pagerctl send`: tell everybody in a file, or one person, and see it through."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from click.exceptions import Exit

from pagerd.cli.ctl.asking import STEADY, Asks, asks, examples
from pagerd.cli.ctl.report import progress_line
from pagerd.cli.ctl.saying import note, say, show_json
from pagerd.cli.ctl.shell import INTERRUPTED, MISUSED, Refusal

if TYPE_CHECKING:
    from pagerd.cli.ctl.announcing import Crowd
    from pagerd.cli.ctl.audience import Audience
    from pagerd.cli.ctl.files import Source
    from pagerd.cli.ctl.order import Template
    from pagerd.cli.ctl.sending import Made, Survey
    from pagerd.client import Pager
    from pagerd.core.views import SessionView


@click.command()
@click.argument("template", metavar="TEMPLATE")
@click.argument("file", metavar="[FILE|-]", required=False)
@click.option("--to", "addresses", multiple=True, metavar="ADDRESS", help="Tell this person instead of a file.")
@click.option("--data", multiple=True, metavar="NAME=VALUE", help="A variable that everybody shares; a row's own wins.")
@click.option("--channel", help="By what: email, sms … (not needed where the template has only one).")
@click.option("--from", "sender", metavar="ADDRESS", help="From whom, such as 'Shop <hi@shop.example>'.")
@click.option("--locale", help="In which language, for people who do not say theirs.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="Take a variable (or `to`) from a column.")
@click.option(
    "--delimiter", type=click.Choice([",", ";", "tab"]), help="What is between CSV cells (guessed otherwise)."
)
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
@examples(
    "pagerctl send order-shipped people.csv",
    "pagerctl send order-shipped people.csv --check",
    "pagerctl send order-shipped people.csv --map to=Mail --map name='First name'",
    "pagerctl send login-code --to ada@example.com --data code=123",
    "zcat people.ndjson.gz | pagerctl send news - --yes --detach",
    "",
    "Exit codes: 0 nobody is not told, 1 an error, 2 wrong use, 3 some not told,",
    "4 nobody told, cancelled or expired, 5 not over after --wait, 130 interrupted",
)
def send(asks: Asks, /, template: str, file: str | None, addresses: tuple[str, ...], **typed: Any) -> None:
    """Tell everybody in FILE (CSV or NDJSON; - is standard input), or the people after --to.

    Says who, from whom and how many before it sends, then counts rows uploaded, then people told. The same file,
    template version and options within 24 hours follow the session that exists instead of sending twice. Ctrl-C
    leaves the session running.
    """
    if (file is None) == (not addresses):
        raise Refusal("say whom to tell: a FILE, or --to ADDRESS", do="pagerctl send --help", code=MISUSED)
    job = _Job(asks, template, typed)
    raise Exit(job.file(file) if file is not None else job.addresses(addresses))


class _Job:
    """One run of the command."""

    def __init__(self, asks: Asks, template: str, typed: dict[str, Any]) -> None:
        self.asks = asks
        self.template = template
        self.typed = typed

    def file(self, name: str) -> int:
        """Tell the people of a file; return the exit code."""
        from pagerd.cli.ctl.checking import check_all, show_total
        from pagerd.cli.ctl.files import opened

        with opened(name) as source:
            with self.asks.pager() as pager:
                template, options = self._understood(pager)
                audience = self._audience(source, template)
                if self.typed["check"]:
                    total = check_all(pager, template, audience.people(), options, columns=audience.has_columns)
                    return show_total(source.name, total, as_json=self.asks.json)
                found = self._surveyed(pager, template, audience, options)
            view = self._send_file(template, audience, options, found)
        return self._end(view)

    def addresses(self, addresses: tuple[str, ...]) -> int:
        """Tell the people who stand on the command line; return the exit code."""
        from pagerd.cli.ctl.announcing import Crowd
        from pagerd.cli.ctl.audience import Person
        from pagerd.cli.ctl.checking import check_all, show_total

        people = [Person(place, {"to": address}) for place, address in enumerate(addresses, 1)]
        rows = [person.recipient for person in people]
        with self.asks.pager() as pager:
            template, options = self._understood(pager)
            if self.typed["check"]:
                total = check_all(pager, template, people, options, columns=False)
                return show_total("--to", total, as_json=self.asks.json)
            self._announced(pager, template, Crowd(len(people), None, people, columns=False), options)
        options = {"priority": "urgent"} | options
        with self.asks.pager(tries=STEADY) as pager:

            def make(key: str) -> Made:
                return pager.sessions.send(template.reference, recipients=rows, idempotency_key=key, **options)

            view = self._begun(make, template, options, json.dumps(addresses)).view
        return self._end(view)

    def _understood(self, pager: Pager) -> tuple[Template, dict[str, Any]]:
        """Return the template's version, and the options as the client takes them."""
        from pagerd.cli.ctl.cells import pairs
        from pagerd.cli.ctl.order import Words, options_of, published

        typed = self.typed
        words = Words(
            channel=typed["channel"],
            sender=typed["sender"],
            locale=typed["locale"],
            batch_size=typed["batch_size"],
            at=typed["at"],
            data=pairs(typed["data"], "--data"),
            skip_invalid=typed["skip_invalid"],
            hold=typed["hold"],
        )
        template = published(pager, self.template)
        return template, options_of(words, template)

    def _audience(self, source: Source, template: Template) -> Audience:
        from pagerd.cli.ctl.audience import audience_of
        from pagerd.cli.ctl.cells import pairs

        delimiter = "\t" if self.typed["delimiter"] == "tab" else self.typed["delimiter"]
        return audience_of(source, template.variables, pairs(self.typed["mapping"], "--map"), delimiter)

    def _surveyed(self, pager: Pager, template: Template, audience: Audience, options: dict[str, Any]) -> Survey:
        """Look the file through, say what will be done with it, and let that be confirmed."""
        from pagerd.cli.ctl.announcing import Crowd
        from pagerd.cli.ctl.checking import SAMPLE
        from pagerd.cli.ctl.sending import survey

        found = survey(audience)
        first = list(islice(audience.people(), SAMPLE))
        crowd = Crowd(found.people, audience.source.name, first, columns=audience.has_columns)
        self._announced(pager, template, crowd, options)
        return found

    def _send_file(self, template: Template, audience: Audience, options: dict[str, Any], found: Survey) -> SessionView:
        """Tell the people of a file; return the session, under way."""
        with self.asks.pager(tries=STEADY) as pager:

            def make(key: str) -> Made:
                return pager.sessions.create(template.reference, idempotency_key=key, **options)

            session = self._begun(make, template, options, found.digest)
            if session.view.state != "staging":
                return session.view
            return self._uploaded(pager, session, audience, found)

    def _announced(self, pager: Pager, template: Template, crowd: Crowd, options: dict[str, Any]) -> None:
        from pagerd.cli.ctl.announcing import announce, confirm

        announce(pager, template, crowd, options)
        confirm(pager, crowd.people, yes=self.typed["yes"])

    def _begun(self, make: Callable[[str], Made], template: Template, options: dict[str, Any], content: str) -> Made:
        """Return the session of this order, the existing one if it was sent lately."""
        from pagerd.cli.ctl.order import key_of
        from pagerd.cli.ctl.sending import begun, said_before

        key = f"pagerctl-{uuid.uuid4().hex}" if self.typed["again"] else key_of(template, options, content)
        session = begun(make, key)
        if session.replayed and session.view.state != "staging":
            note(said_before(session.view))
        return session

    def _uploaded(self, pager: Pager, session: Made, audience: Audience, found: Survey) -> SessionView:
        from pagerd.cli.ctl.following import upload_progress
        from pagerd.cli.ctl.sending import uploaded

        try:
            with upload_progress() as advance:
                return uploaded(pager, session, audience, found, advance)
        except KeyboardInterrupt:
            note(f"\nnobody was told: {session.id} has not started. The same command again goes on with the upload;")
            note(f"give it up:  pagerctl sessions cancel {session.id}")
            raise Exit(INTERRUPTED) from None

    def _end(self, view: SessionView) -> int:
        """Follow the session, unless nobody waits for it; return the exit code."""
        from pagerd.cli.ctl.following import follow

        if not self.typed["detach"]:
            return follow(self.asks, view.id, seconds=self.typed["wait"])
        if self.asks.json:
            show_json(view)
        else:
            say(f"{view.id}  {progress_line(view)}")
            say(f"follow it:  pagerctl sessions watch {view.id}")
        return 0


COMMANDS: Final = (send,)
