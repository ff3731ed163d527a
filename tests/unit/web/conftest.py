from collections.abc import AsyncIterator

import pytest
from litestar import Litestar, Request, Response
from litestar.testing import AsyncTestClient

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.core.errors import Missing, PagerError
from pagerd.web import inbox

ORIGIN = "http://127.0.0.1:8400"


def told(_: Request, error: PagerError) -> Response[dict[str, str]]:
    """Stand in for the API's own translation of errors."""
    return Response({"detail": error.detail}, status_code=404 if isinstance(error, Missing) else 422)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox(now=lambda: 1_700_000_000.0)
    yield box
    await box.aclose()


@pytest.fixture
async def client(mailbox: Mailbox) -> AsyncIterator[AsyncTestClient]:
    app = Litestar(inbox.routes(mailbox, smtp="127.0.0.1:1025"), exception_handlers={PagerError: told})
    async with AsyncTestClient(app, base_url=ORIGIN, raise_server_exceptions=True) as client:
        yield client
