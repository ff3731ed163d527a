"""The two pagers: one for programs that block, one for programs that await."""

from __future__ import annotations

from os import PathLike
from types import TracebackType
from typing import Generic, Self

from pagerd.client.awaiting import Awaiting
from pagerd.client.blocking import Blocking
from pagerd.client.configuration import Choice, Given, choose
from pagerd.client.face import F
from pagerd.client.messages import Messages
from pagerd.client.patience import Patience
from pagerd.client.providers import Providers
from pagerd.client.recipients import Recipients
from pagerd.client.server import ServerItself
from pagerd.client.sessions import Sessions
from pagerd.client.templates import Templates


class _Pager(Generic[F]):
    """What may be asked for."""

    def __init__(self, face: F, choice: Choice) -> None:
        self._face = face
        self.choice = choice
        self.messages = Messages(face)
        self.sessions = Sessions(face)
        self.templates = Templates(face)
        self.providers = Providers(face)
        self.recipients = Recipients(face)
        self.server = ServerItself(face)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.choice.server.url}>"


class Pager(_Pager[Blocking]):
    """Pager, for programs that block. Safe to share between threads; close it, or use it in a ``with``.

    Without arguments the server and key come from the environment, a profile or ``./.pagerd``
    (see :mod:`pagerd.client.configuration`). ``patience`` says how often a request is tried.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        key_file: str | PathLike[str] | None = None,
        profile: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        choice = choose(Given(url=url, key=key, key_file=key_file, profile=profile))
        super().__init__(Blocking(choice.server, patience), choice)

    def close(self) -> None:
        """Close its connections."""
        self._face.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncPager(_Pager[Awaiting]):
    """Pager, for programs that await: the same operations, awaited; one for each event loop."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        key_file: str | PathLike[str] | None = None,
        profile: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        choice = choose(Given(url=url, key=key, key_file=key_file, profile=profile))
        super().__init__(Awaiting(choice.server, patience), choice)

    async def close(self) -> None:
        """Close its connections."""
        await self._face.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
