"""The SMS provider, and the API that it speaks to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import pytest
from tests.adapters.twilio import api as sms_api

from pagerd.adapters.twilio.provider import TwilioProvider
from pagerd.adapters.twilio.settings import TwilioSettings
from pagerd.core.messages import Message


@pytest.fixture(scope="session")
def apis() -> ModuleType:
    """What ``api.py`` beside this file defines."""
    return sms_api


@pytest.fixture
async def api(apis: ModuleType) -> AsyncIterator[Any]:
    """The API, listening."""
    made = apis.SmsApi()
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def provider_of(api: Any, apis: ModuleType) -> AsyncIterator[Callable[..., TwilioProvider]]:
    """``provider_of(connections=2)`` speaks to the API; ``credential=…`` is another than the right one."""
    made: list[TwilioProvider] = []

    def make(*, credential: str = apis.TOKEN, **fields: Any) -> TwilioProvider:
        settings = {"account": apis.ACCOUNT, "base_url": api.url, "sender": "+12025550100"} | fields
        made.append(TwilioProvider("text", TwilioSettings(**settings), credential))
        return made[-1]

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture
def message() -> Callable[..., Message]:
    """``message(to, text)`` is one as a worker composes it."""

    def make(to: str = "+12025550123", text: str = "Hello", *, place: int = 0, sender: str = "") -> Message:
        return Message(place=place, to=to, sender=sender, key=f"rcp_{place}", body=text.encode())

    return make
