"""Who sends slowly is not waited for: on a real socket, with limits short enough for a test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from pagerd.cli.server.running import _Server
from pagerd.cli.server.timed import Limits, timed

LIMITS = Limits(headers=0.3, silence=0.3)
SOON = 5.0
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n"


class App:
    """Reads the whole body, then answers with its length; remembers who went away."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.patience = asyncio.Event()
        self.patience.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            await self.patience.wait()
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        said = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def port(app: App) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app,
        port=0,
        http=timed(LIMITS),
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # type: ignore[arg-type]
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.up.wait(), SOON)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await asyncio.wait_for(task, SOON)


async def answer(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), SOON)


@pytest.mark.parametrize("sent", [b"", b"POST", HEAD], ids=["nothing", "a word", "half the headers"])
async def test_headers_that_do_not_end_are_given_up(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def drip(writer: asyncio.StreamWriter, text: bytes, every: float) -> None:
    """Send a byte at a time."""
    for at in range(len(text)):
        if writer.is_closing():
            return
        writer.write(text[at : at + 1])
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=every)


async def test_headers_that_drip_are_given_up_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    dripping = asyncio.create_task(drip(writer, HEAD * 50, 0.02))
    assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 2
    dripping.cancel()
    writer.close()


async def test_a_silence_in_a_body_is_not_waited_for(port: int, app: App) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"\r\n12345")
    assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
    await asyncio.wait_for(app.gone.wait(), SOON)
    writer.close()


async def test_a_body_that_comes_slowly_but_comes_is_taken(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"connection: close\r\n\r\n")
    await drip(writer, b"1234567890", 0.1)
    said = await answer(reader)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"10")
    writer.close()


async def test_the_second_request_of_a_connection_has_limits_of_its_own(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(HEAD + b"\r\n1234567890")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n10"), SOON)).startswith(b"HTTP/1.1 200 ")
    writer.write(b"GET / HT")
    assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_server_that_takes_its_time_is_not_the_sender_s_fault(port: int, app: App) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    app.patience.clear()
    size = 4 * 2**20
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size)
    writer.write(b"x" * size)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 4 * LIMITS.silence)
    app.patience.set()
    assert (await answer(reader)).endswith(str(size).encode())
    writer.close()
