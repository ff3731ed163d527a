"""One session, as a program holds it: look again, follow it, stop it, run the rest of it again."""

from __future__ import annotations

from typing import Final, Unpack

from pagerd.client.errors import NotTold
from pagerd.client.face import F, Faced, operation, stream
from pagerd.client.sessioncalls import BatchFilters, PeopleFilters, RedriveOptions, SessionCalls, is_finished
from pagerd.client.steps import Course, Plan
from pagerd.core.states import NOT_TOLD
from pagerd.core.views import BatchView, RecipientView, SessionView

LISTED: Final = 1_000
"""How many people an error names."""


class Session(SessionCalls, Faced[F]):
    """A session. ``view`` is how it looked last; ``replayed`` says that it was there already, under the same key."""

    def __init__(self, face: F, view: SessionView, *, replayed: bool = False) -> None:
        super().__init__(face)
        self.view = view
        self.replayed = replayed

    @property
    def id(self) -> str:
        """Its identifier, ``ses_…``."""
        return self.view.id

    @property
    def finished(self) -> bool:
        """Whether it had come to its end when it was looked at last."""
        return is_finished(self.view)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.view.state}: {self.view.told} of {self.view.total} told>"

    def _noted(self, view: SessionView) -> SessionView:
        self.view = view
        return view

    @operation
    def refresh(self) -> Plan[SessionView]:
        """Look again, and return what is seen."""
        return (yield from self._look(self.id))

    @stream
    def watch(self) -> Course[SessionView]:
        """Give the session whenever it has changed, until it is finished; breaks of the connection are bridged."""
        yield from self._followed(self.id)

    @operation
    def pause(self, reason: str | None = None) -> Plan[SessionView]:
        """Stop at the next message; what has left can't be stopped."""
        return (yield from self._control(self.id, "pause", {"reason": reason} if reason else None))

    @operation
    def resume(self) -> Plan[SessionView]:
        """Go on after a pause."""
        return (yield from self._control(self.id, "resume"))

    @operation
    def cancel(self) -> Plan[SessionView]:
        """Give up everybody who has not been told."""
        return (yield from self._control(self.id, "cancel"))

    @operation
    def redrive(self, **which: Unpack[RedriveOptions]) -> Plan[SessionView]:
        """Run people again who were not told: all whose reason is retryable, or those that ``which`` names."""
        return (yield from self._redriven(self.id, which))

    @stream
    def recipients(self, **filters: Unpack[PeopleFilters]) -> Course[RecipientView]:
        """Give its people, in file order."""
        yield from self._people(self.id, filters)

    @stream
    def batches(self, **filters: Unpack[BatchFilters]) -> Course[BatchView]:
        """Give its batches, in file order."""
        yield from self._batches(self.id, filters)

    @operation
    def raise_unless_all_told(self) -> Plan[None]:
        """Look again; raise :class:`NotTold` if anybody is not told, in doubt or still to go.

        People who were withheld on purpose (suppressed, duplicate) are as they should be.
        """
        view = yield from self._look(self.id)
        if view.not_told or view.in_doubt or view.to_go:
            raise NotTold(view, (yield from self._not_told(view)))

    def _not_told(self, view: SessionView) -> Plan[list[RecipientView]]:
        """Return the first people who are finally not told."""
        found: list[RecipientView] = []
        for state in sorted(one.word for one in NOT_TOLD):
            if view.outcomes.get(state) and len(found) < LISTED:
                found += yield from self._first_people(self.id, {"state": state}, LISTED - len(found))
        return found
