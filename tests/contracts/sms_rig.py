"""An SMS provider, and a small API behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.adapters.twilio.api import ACCOUNT, TOKEN, SmsApi, loses, says

from pagerd.adapters.twilio.provider import TwilioProvider
from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.ports.provider import Provider


class SmsRig:
    """One connection, so that what is told one after the other also leaves so."""

    def __init__(self, api: SmsApi, silent: asyncio.Server, waits: asyncio.Event) -> None:
        self._api, self._silent, self._waits = api, silent, waits
        self._made: list[Provider] = []
        self.provider = self._speaking_to(api.url)

    def told(self) -> list[str]:
        return self._api.told

    def refuse(self, to: str) -> None:
        self._api.ways[to] = says(400, 21211)

    def fail(self, to: str) -> None:
        self._api.ways[to] = says(503)

    def lose_answer(self, to: str) -> None:
        self._api.ways[to] = loses

    def hold(self, to: str) -> None:
        port = self._silent.sockets[0].getsockname()[1]
        self.provider = self._speaking_to(f"https://127.0.0.1:{port}")  # which never says a word of TLS

    async def held(self) -> None:
        await self._waits.wait()

    async def down(self) -> None:
        await self._api.aclose()

    async def aclose(self) -> None:
        for provider in self._made:
            await provider.aclose()

    def _speaking_to(self, url: str) -> Provider:
        settings = TwilioSettings(account=ACCOUNT, base_url=url, connections=1)
        self._made.append(TwilioProvider("text", settings, TOKEN))
        return self._made[-1]


@asynccontextmanager
async def sms() -> AsyncIterator[SmsRig]:
    api = SmsApi()
    await api.start()
    waits, over = asyncio.Event(), asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waits.set()
        await over.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    rig = SmsRig(api, silent, waits)
    yield rig
    await rig.aclose()
    over.set()
    silent.close()
    await api.aclose()
