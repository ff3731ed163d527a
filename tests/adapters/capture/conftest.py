from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.capture.server import CaptureServer

Opened = Callable[..., Awaitable[CaptureServer]]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox(now=lambda: 1_700_000_000.0)
    yield box
    await box.aclose()


@pytest.fixture
async def open_server(mailbox: Mailbox) -> AsyncIterator[Opened]:
    servers = []

    async def opened(receiver=mailbox, **options) -> CaptureServer:
        server = CaptureServer(receiver, port=0, **options)
        await server.start()
        servers.append(server)
        return server

    yield opened
    for server in servers:
        await server.aclose()
