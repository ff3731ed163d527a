"""A server process: opens the house, serves HTTP, works, and stops in the right order on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec
import uvicorn

from pagerd.api.app import build
from pagerd.api.stages import Pulse, Stages
from pagerd.api.stages import Settings as ApiSettings
from pagerd.cli.server.timed import Limits, timed
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured
from pagerd.health.checks import Check
from pagerd.wiring.house import Extras, House, open_house

_TRIES: Final = 20
_GRACE: Final = 5
_SWITCH: Final = 0.0005
"""Seconds after which a busy thread lets others run Python, too; docs/decisions/0017 says why."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What a process does beside holding the house open, and what it adds to it.

    Without ``api`` it answers nothing but how it is.
    """

    api: bool = True
    worker: bool = True
    next_free_port: bool = False
    dev: bool = False
    inbox_routes: Sequence[Any] = ()
    extras: Extras = Extras()


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is up."""

    house: House
    url: str
    stop: asyncio.Event


@contextlib.asynccontextmanager
async def running(settings: Settings, role: Role) -> AsyncIterator[Running]:
    """Hold a server up: ready when entered, cleanly down when left.

    Leaving stops in this order: not ready, no new claims, no further last byte, answers waited for up to the drain
    limit, claims released, then HTTP and the store.
    """
    async with AsyncExitStack() as stack:
        listener = _listen(settings.host, settings.port, _TRIES if role.next_free_port else 1)
        house = await open_house(settings, stack, role.extras)
        stop = asyncio.Event()
        _on_signals(stop, stack)
        server = await stack.enter_async_context(_http(house, role, listener, stop))
        stack.push_async_callback(_quiet, server)
        house.clockwork.start()
        stack.push_async_callback(house.clockwork.stop)
        if role.worker:
            await house.worker.start()
            stack.push_async_callback(house.worker.stop, settings.worker.drain)
        host = settings.host if ":" not in settings.host else f"[{settings.host}]"
        url = f"http://{host}:{listener.getsockname()[1]}"
        _calm_collector()
        sys.setswitchinterval(_SWITCH)
        yield Running(house=house, url=url, stop=stop)
        stop.set()


def _calm_collector() -> None:
    """Spare the garbage collector what lives as long as the process, and let it look less often.

    Almost everything that a message needs is freed by its reference count; looking for circles cost a tenth of the
    time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _on_signals(stop: asyncio.Event, stack: AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
        stack.callback(loop.remove_signal_handler, number)


def _listen(host: str, port: int, tries: int) -> socket.socket:
    """Return a listening socket; raise :class:`Misconfigured` where the port is taken or may not be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, port + tries):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
        except OSError as error:
            listener.close()
            if candidate + 1 < port + tries:
                continue
            raise Misconfigured(
                f"{host}:{port} can't be listened on: {error.strerror}",
                code="port_in_use",
                remedy="Stop the program that uses it, or choose another port (--port, or port = … in pagerd.toml).",
            ) from error
        listener.listen(2048)
        listener.setblocking(False)
        return listener
    raise AssertionError("unreachable")


class _Server(uvicorn.Server):
    """Leaves signals to us, for the stop has an order of its own; tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, and tell."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def _http(house: House, role: Role, listener: socket.socket, stop: asyncio.Event) -> AsyncIterator[_Server]:
    app = build(_stages(house, role, stop), dev=role.dev, only_health=not role.api)
    config = uvicorn.Config(
        app,
        http=timed(Limits()),  # type: ignore[arg-type]
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=65536,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.up.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await task
        listener.close()


async def _quiet(server: _Server) -> None:
    """Take no new connections from here on."""
    server.should_exit = True


def _stages(house: House, role: Role, stop: asyncio.Event) -> Stages:
    return Stages(
        admission=house.admission,
        uploads=house.uploads,
        control=house.control,
        accounts=house.accounts,
        providers=house.providers,
        templates=house.templates,
        keys=house.keys,
        readiness=_readiness(house, stop),
        metrics=house.metrics.page,
        inbox_routes=role.inbox_routes,
        settings=ApiSettings(open_metrics=house.settings.open_metrics, pulse=Pulse(stopping=stop.is_set)),
    )


def _readiness(house: House, stop: asyncio.Event) -> Callable[[], Awaitable[list[Check]]]:
    async def look() -> list[Check]:
        stopping = Check(
            name="process",
            ok=not stop.is_set(),
            detail="stopping" if stop.is_set() else "ok",
            remedy="Wait for the next process.",
        )
        return [stopping, *await house.checks.run()]

    return look
