"""The verbs of the stages that the API calls, as small protocols.

The classes behind them live in the stages' own rooms. Every verb raises the errors of :mod:`pagerd.core.errors` and
nothing else; the API gives them their status.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any, Protocol

from pagerd.core.policy import Channel
from pagerd.core.requests import Answer, Asker, MessageRequest, ProviderDraft, Redrive, Retry, SessionRequest
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import (
    BatchView,
    CheckView,
    Page,
    PartView,
    ProviderKindView,
    ProviderView,
    RecipientView,
    SessionView,
    TimelineView,
)
from pagerd.ports.store import ApiKeyRow
from pagerd.render.preview import Preview
from pagerd.templates.views import TemplateView, VersionView


class Admission(Protocol):
    """A request becomes a session, all or nothing."""

    async def admit(self, asker: Asker, request: SessionRequest, retry: Retry | None) -> Answer:
        """Admit a session; the answer is its view, and the same answer for the same retry."""
        ...

    async def admit_message(self, asker: Asker, request: MessageRequest, retry: Retry | None) -> Answer:
        """Admit one person, urgent; the answer is the recipient's view."""
        ...

    async def check(self, asker: Asker, request: SessionRequest) -> CheckView:
        """Say what admission would say; send and store nothing."""
        ...


class Uploads(Protocol):
    """Big audiences, in parts."""

    async def put_part(  # noqa: PLR0913 - what HTTP says about a body
        self,
        asker: Asker,
        session_id: str,
        part: int,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        delimiter: str | None,
        digest: bytes | None,
        line_offset: int,
    ) -> PartView:
        """Store a part, atomically; the same number again replaces it. An error from ``chunks`` leaves nothing.

        ``line_offset`` is added to each person's line: the part is a piece of a file.
        """
        ...

    async def parts(self, asker: Asker, session_id: str) -> list[PartView]:
        """Return the parts that are there."""
        ...

    async def start(self, asker: Asker, session_id: str, *, parts: int, recipients: int) -> SessionView:
        """Start the session, if what is there is what the asker counted."""
        ...


class Control(Protocol):
    """What an operator does to a session. Each verb done twice is done once."""

    async def pause(self, asker: Asker, session_id: str, reason: str | None) -> SessionView:
        """Stop at the next intent."""
        ...

    async def resume(self, asker: Asker, session_id: str) -> SessionView:
        """Go on."""
        ...

    async def cancel(self, asker: Asker, session_id: str) -> SessionView:
        """Give up what has not been sent."""
        ...

    async def redrive(self, asker: Asker, session_id: str, redrive: Redrive) -> SessionView:
        """Run the people that ``redrive`` chooses again."""
        ...


class Accounts(Protocol):
    """What happened, for reading."""

    async def session(self, asker: Asker, session_id: str) -> SessionView:
        """Return a session with its balance."""
        ...

    async def sessions(self, asker: Asker, *, limit: int, cursor: str | None, state: str | None) -> Page[SessionView]:
        """Return sessions, newest first."""
        ...

    async def recipients(
        self,
        asker: Asker,
        session_id: str,
        *,
        state: str | None,
        reason_class: str | None,
        code: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[RecipientView]:
        """Return a session's people, in file order."""
        ...

    async def batches(
        self, asker: Asker, session_id: str, *, state: str | None, limit: int, cursor: str | None
    ) -> Page[BatchView]:
        """Return a session's batches, in file order."""
        ...

    async def recipient(self, asker: Asker, recipient_id: str) -> TimelineView:
        """Return everything about one person in one session."""
        ...

    async def settled(self, asker: Asker, recipient_id: str, timeout: float) -> TimelineView:  # noqa: ASYNC109
        """Return the same as soon as the person is settled, or as it stands after ``timeout`` seconds."""
        ...

    async def search(self, asker: Asker, to: str, *, session: str | None, since: float | None) -> list[TimelineView]:
        """Return everything about one address, over all sessions."""
        ...


class Providers(Protocol):
    """Which services carry messages."""

    def kinds(self) -> list[ProviderKindView]:
        """Return the kinds that this installation knows."""
        ...

    async def all(self, asker: Asker) -> list[ProviderView]:
        """Return all providers, in order of name."""
        ...

    async def get(self, asker: Asker, name: str) -> ProviderView:
        """Return one."""
        ...

    async def put(self, asker: Asker, name: str, draft: ProviderDraft) -> ProviderView:
        """Create or replace one."""
        ...

    async def test(self, asker: Asker, name: str) -> ProviderView:
        """Try its connection and credential; the result is in the view's health."""
        ...

    async def pause(self, asker: Asker, name: str, reason: str | None) -> ProviderView:
        """Send nothing more by it."""
        ...

    async def resume(self, asker: Asker, name: str) -> ProviderView:
        """Use it again."""
        ...


class Templates(Protocol):
    """Drafts and published versions. Every verb takes the workspace first."""

    async def save(self, workspace: int, name: str, draft: TemplateDraft, *, expected: int | None) -> TemplateView:
        """Save a draft. ``expected``: the revision that its author saw (0: none); another one there is a Conflict.

        An :class:`~pagerd.core.errors.Invalid` names variant, part, line and column.
        """
        ...

    async def publish(self, workspace: int, name: str) -> VersionView:
        """Freeze the draft as the next version; a draft that is published already is not published again."""
        ...

    async def get(self, workspace: int, name: str) -> TemplateView:
        """Return a template with its draft."""
        ...

    async def page(self, workspace: int, limit: int, after: str = "") -> list[TemplateView]:
        """Return templates in order of name, those after ``after``."""
        ...

    async def versions(self, workspace: int, name: str) -> list[VersionView]:
        """Return the published versions, newest first."""
        ...

    async def preview(
        self,
        workspace: int,
        name: str,
        data: dict[str, Any],
        *,
        channel: Channel,
        locale: str | None,
        version: int | None,
    ) -> Preview:
        """Show every part as it would leave; without ``version``, of the draft."""
        ...


class Principal(Protocol):
    """Whom a key stands for."""

    @property
    def workspace(self) -> int:
        """The workspace that the key belongs to."""
        ...

    @property
    def key_id(self) -> bytes:
        """The key's own identifier."""
        ...

    @property
    def scopes(self) -> Collection[str]:
        """The permissions that the key carries."""
        ...

    @property
    def live(self) -> bool:
        """Whether what it asks for is meant."""
        ...


class Keys(Protocol):
    """API keys."""

    async def authenticate(self, header: str | None) -> Principal:
        """Return whom an ``Authorization`` header speaks for; raise :class:`~pagerd.core.errors.Unauthenticated`."""
        ...

    async def issue(
        self, workspace: int, name: str, scopes: Iterable[str], *, expires_at: float | None = None
    ) -> tuple[str, ApiKeyRow]:
        """Return a new key, which is shown this once, and its row."""
        ...

    async def list(self, workspace: int) -> list[ApiKeyRow]:
        """Return all keys, newest first."""
        ...

    async def revoke(self, workspace: int, id: bytes) -> None:
        """Revoke a key; twice is harmless."""
        ...


class Check(Protocol):
    """One thing that must be well for Pager to work."""

    @property
    def name(self) -> str:
        """What was looked at."""
        ...

    @property
    def ok(self) -> bool:
        """Whether it is well."""
        ...

    @property
    def detail(self) -> str:
        """What was found."""
        ...

    @property
    def remedy(self) -> str:
        """What to do about it."""
        ...
