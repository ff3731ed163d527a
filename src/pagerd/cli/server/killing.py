"""``pagerd demo --kill``: the server is shot in the middle, three times; two witnesses say what became of everybody."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pagerd.cli.server import child, joining
from pagerd.cli.server.demo import examples_folder
from pagerd.core.errors import Broken

if TYPE_CHECKING:
    from pagerd.client import Pager
    from pagerd.client.blocking import Blocking
    from pagerd.client.session import Session
    from pagerd.core.views import SessionView

PEOPLE: Final = 5000
SHOTS: Final = 3
_LOOK: Final = 0.002
_LONGEST: Final = 45.0
_CONFIG: Final = """\
[providers.mail]
kind = "smtp"
url = "smtp://{sink}"
from = "Shop <shop@shop.example>"
"""


def kill_demo(people: int = PEOPLE) -> None:
    """Run it; raise :class:`Broken` where somebody was lost, or told twice without having been flagged."""
    with tempfile.TemporaryDirectory(prefix="pagerd-demo-") as name:
        folder = Path(name)
        journal = folder / "sink.journal"
        sink = ["pagerd.adapters.capture.sink", "--port", "0", "--journal", str(journal)]
        with child.Child(sink, "listening on ", folder / "sink.log") as mail_server:
            print(f"A sink of its own takes mail on {mail_server.said}; it writes down each before it answers.")
            config = folder / "pagerd.toml"
            config.write_text(_CONFIG.format(sink=mail_server.said), "utf-8")
            _Range(folder, config, journal, people).run()


class _Range:
    """One run: the session, the shots, the join."""

    def __init__(self, folder: Path, config: Path, journal: Path, people: int) -> None:
        self._data = folder / "data"
        self._config = config
        self._journal = journal
        self._people = people
        self._server = child.server(self._data, config=config)
        self._port = urlsplit(self._server.said).port or 0
        self._until = time.monotonic() + _LONGEST

    def run(self) -> None:
        try:
            session = self._begin()
            for shot in range(1, SHOTS + 1):
                self._shoot(shot)
            self._finish(session)
        finally:
            self._server.stop()

    def _begin(self) -> str:
        from pagerd.client.folder import load

        (order_shipped,) = load(examples_folder() / "templates" / "order-shipped")
        with self._pager() as pager:
            pager.templates.save(order_shipped.name, order_shipped.draft)
            pager.templates.publish(order_shipped.name)
            session = pager.sessions.send(order_shipped.name, recipients=_people(self._people))
            print(f"{session.id}: {self._people:,} people are admitted, in batches of {session.view.batch_size}.")
            return session.id

    def _shoot(self, shot: int) -> None:
        """Kill the server once a random number of mails has arrived, and start it again."""
        share = self._people // SHOTS
        target = share * (shot - 1) + random.randrange(share // 8, share * 7 // 8)  # noqa: S311 - no secret
        while joining.journal_lines(self._journal) < target:
            if time.monotonic() > self._until or self._server.process.poll() is not None:
                raise Broken(f"the server stopped sending after {joining.journal_lines(self._journal)} mails")
            time.sleep(_LOOK)
        self._server.kill()
        count = joining.journal_lines(self._journal)
        began = time.monotonic()
        self._server = child.server(self._data, config=self._config, port=self._port)
        print(
            f"Shot {shot}: kill -9 after {count:,} mails had arrived; it is back after "
            f"{time.monotonic() - began:.1f} s and goes on.",
            flush=True,
        )

    def _finish(self, id: str) -> None:
        with self._pager() as pager:
            session = pager.sessions.get(id)
            view = _watched(session, self._until)
            found = joining.join(pager.sessions.recipients(id), joining.arrived(self._journal))
        print(f"\nThe session is {view.state}. Sink and ledger side by side:\n")
        print(joining.table(found, view))
        if not found.holds or found.admitted != self._people:
            raise Broken("the promise did not hold", remedy="Please report this, with the table above.")
        print("\nNobody was lost, and nobody was told twice without having been flagged before.")

    def _pager(self) -> Pager:
        from pagerd.client import Pager

        return Pager(self._server.said, key_file=self._data / "live.key")


def _watched(session: Session[Blocking], until: float) -> SessionView:
    for view in session.watch():
        if time.monotonic() > until:
            raise Broken(f"the session did not come to its end in time: {view.state}, {view.to_go} to go")
    return session.refresh()


def _people(count: int) -> Iterator[dict[str, object]]:
    for number in range(1, count + 1):
        data = {"name": f"Person {number}", "order": f"A-{number}", "total": number / 100}
        yield {"to": f"person-{number:05}@example.com", "data": data}
