"""What the API stands on: one struct with every stage that it calls, and what it is told about itself."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from litestar.handlers import HTTPRouteHandler

from pagerd.api.verbs import Accounts, Admission, Check, Control, Keys, Providers, Templates, Uploads


def _never() -> bool:
    return False


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream of events waits; a test hands in a clock that it moves itself.

    Seconds: looked again after ``interval`` while things move, ever more slowly up to ``idle`` while they don't;
    a sign of life after ``heartbeat`` of silence. A server that is ``stopping`` ends its streams.
    """

    interval: float = 0.25
    idle: float = 1.0
    heartbeat: float = 15.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    stopping: Callable[[], bool] = _never


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the API is told about itself. Sizes are in bytes, of a part after unpacking."""

    open_metrics: bool = False
    max_part: int = 1 << 30
    pulse: Pulse = Pulse()
    new_request_id: Callable[[], str] = lambda: secrets.token_hex(8)


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the API calls. ``inbox_routes`` are the web's own handlers, used in development only."""

    admission: Admission
    uploads: Uploads
    control: Control
    accounts: Accounts
    providers: Providers
    templates: Templates
    keys: Keys
    readiness: Callable[[], Awaitable[Sequence[Check]]]
    metrics: Callable[[], bytes]
    inbox_routes: Sequence[HTTPRouteHandler] = ()
    settings: Settings = Settings()
