"""Recipients: everything about one person."""

from __future__ import annotations

from datetime import datetime

from pagerd.client.calls import at, posted
from pagerd.client.face import F, Faced, operation
from pagerd.client.steps import Plan, Request
from pagerd.core.views import Page, TimelineView


class Recipients(Faced[F]):
    """People, over all sessions."""

    @operation
    def search(
        self, to: str, *, session: str | None = None, since: datetime | str | None = None
    ) -> Plan[list[TimelineView]]:
        """Return everything about one address. It travels in the body: no address stands in a URL or a log."""
        body = {name: value for name, value in {"to": to, "session": session, "since": since}.items() if value}
        request = posted(at("recipients", "search"), body)
        return (yield from self._call(Page[TimelineView], request, repeatable=True)).items

    @operation
    def get(self, id: str) -> Plan[TimelineView]:
        """Return one person of one session, with every attempt and the reason for every non-send."""
        return (yield from self._call(TimelineView, Request(method="GET", path=at("recipients", id))))
