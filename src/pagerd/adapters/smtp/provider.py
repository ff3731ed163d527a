"""The SMTP provider: batches over warm connections, one outcome per message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pagerd.adapters.smtp.delivery import Manner, carry
from pagerd.adapters.smtp.dialogue import Dialogue
from pagerd.adapters.smtp.opening import Opener
from pagerd.adapters.smtp.pool import Link, Pool
from pagerd.adapters.smtp.refusal import Refusal
from pagerd.adapters.smtp.script import Broken
from pagerd.adapters.smtp.settings import SmtpSettings, check_files, peer_of
from pagerd.core.errors import Unavailable
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.core.policy import Channel
from pagerd.ports.provider import Fence, Limits


class SmtpProvider:
    """Hands mail to the next server; a :class:`~pagerd.ports.provider.Provider`.

    Raises :class:`Misconfigured` when made with settings that can't work.
    """

    channel = Channel.EMAIL

    def __init__(self, name: str, settings: SmtpSettings, credential: str | None = None) -> None:
        check_files(settings)
        self.name = name
        self.limits = Limits(connections=settings.connections)
        self._manner = Manner(
            command=settings.command_timeout,
            dot=settings.dot_timeout,
            most=settings.max_message_bytes,
            chunking=settings.chunking,
            unanswered=settings.unanswered,
        )
        self._opener = Opener(peer_of(settings, credential), settings)
        self._pool = Pool(
            self._opener.open,
            size=settings.connections,
            idle=settings.idle_timeout,
            messages=settings.messages_per_connection,
        )

    async def send(self, messages: Sequence[Message], fence: Fence) -> list[Outcome]:
        """Hand over ``messages``; return one outcome each, in order. Never raises.

        Cancelled, it lets nothing more out, waits for the answer to what has left, and returns what is known;
        cancelled once more it does not wait: what has left is in doubt.
        """
        talk = Dialogue(messages, fence)
        try:
            if messages:
                await self._carry(talk)
        except asyncio.CancelledError:
            talk.halt("cancelled")
        except Refusal as refusal:
            talk.end(refusal.code, refusal.text, refusal.kind)
        except Exception as error:  # noqa: BLE001 - the contract: no exception leaves, whatever it is
            talk.end("internal_error", type(error).__name__, FailureClass.TRANSIENT)
        return talk.result()

    async def ping(self) -> None:
        """Return when the peer answers and accepts the credential; raise :class:`Unavailable` with words if not."""
        try:
            wire, _ = await self._opener.open()
        except Refusal as refusal:
            raise Unavailable(f"{refusal.code}: {refusal.text}".rstrip(": "), code=refusal.code) from refusal
        wire.quit()
        await asyncio.wait([wire.gone], timeout=1.0)

    async def aclose(self) -> None:
        """Close every connection; what is under way ends as not sent or in doubt. Twice is harmless."""
        await self._pool.aclose()

    async def _carry(self, talk: Dialogue) -> None:
        """Borrow a connection and hand the batch over; once more over a fresh one where it had died while idle."""
        link = await self._pool.borrow()
        try:
            if not await self._speak(link, talk):
                link = await self._pool.renew(link)
                link.line.reused = False
                await self._speak(link, talk)
        except BaseException:
            link.line.over = True
            raise
        finally:
            self._pool.give_back(link, len(talk.messages))

    async def _speak(self, link: Link, talk: Dialogue) -> bool:
        """Hand the batch over; ``False`` where nothing was said and a fresh connection is worth a try."""
        if link.wire.lost and link.line.reused:
            return False
        try:
            await link.wire.run(carry(talk, link.line, self._manner))
        except asyncio.CancelledError:
            await self._finish_cancelled(link, talk)
        except Broken as broken:
            link.line.over = True
            talk.end(broken.code, broken.text, FailureClass.TRANSIENT)
        return not talk.stale or talk.halted

    async def _finish_cancelled(self, link: Link, talk: Dialogue) -> None:
        """Wait for the answer to what has left, if anything has; cancelled again, leave it in doubt."""
        talk.halt("cancelled")
        try:
            if talk.unanswered:
                await link.wire.wait()
        except asyncio.CancelledError:
            pass
        finally:
            if link.wire.busy:
                link.wire.break_("cancelled")
