"""Drives plans in programs that await: the same steps as :mod:`pagerd.client.blocking`, on an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pagerd.client.patience import Patience
from pagerd.client.steps import Ask, Course, Fill, Give, Hear, Listen, Parcel, Plan, Reply, Request, Rest, Rows, Step
from pagerd.client.transport import Done, Failed, Server, is_stream, resumed, settings, translated, wanted

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


class _Line:
    """What one plan listens to."""

    response: httpx2.Response | None = None
    chunks: AsyncIterator[bytes] | None = None

    async def close(self) -> None:
        """Hang up; twice is once."""
        if self.response is not None:
            await self.response.aclose()
        self.response = self.chunks = None


class Awaiting:
    """One server, and a pool of connections to it; belongs to the event loop that first uses it."""

    def __init__(
        self,
        server: Server,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self.server = server
        self.patience = patience or Patience()
        self._sleep = sleep or _sleep
        self._client: httpx2.AsyncClient | None = None

    async def run(self, plan: Plan[T]) -> T:
        """Carry a plan out and return its result."""
        line = _Line()
        with closing(plan):
            try:
                return cast("T", cast("Done", await self._next(plan, line)).result)
            finally:
                await line.close()

    async def stream(self, course: Course[T]) -> AsyncIterator[T]:
        """Carry a course out; give its items as they come."""
        line = _Line()
        with closing(course):
            try:
                while isinstance(step := await self._next(course, line), Give):
                    yield step.item
            finally:
                await line.close()

    async def close(self) -> None:
        """Close every connection. A later call opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _next(self, plan: Plan[Any] | Course[Any], line: _Line) -> Give[Any] | Done:
        """Go on until the plan gives something or is done."""
        answer: object = None
        while True:
            step = resumed(plan, answer)
            if isinstance(step, (Give, Done)):
                return step
            try:
                answer = await self._perform(step, line)
            except Exception as failure:  # noqa: BLE001 - whatever it is, it is the plan's, and leaves by it
                answer = Failed(failure)

    async def _perform(self, step: Step, line: _Line) -> object:
        """Do one step and return what it brought."""
        match step:
            case Ask(request):
                return await self._ask(request)
            case Rest(seconds):
                await self._sleep(seconds)
                return None
            case Fill(parcel, rows):
                return await _fill(parcel, rows)
            case Listen(request):
                return await self._listen(request, line)
            case Hear():
                with translated(self.server):
                    return await anext(line.chunks, b"") if line.chunks else b""

    async def _ask(self, request: Request) -> Reply:
        with translated(self.server):
            response = await self._pool().request(**wanted(request))
        return Reply(status=response.status_code, headers=response.headers, body=response.content)

    async def _listen(self, request: Request, line: _Line) -> Reply:
        await line.close()
        pool = self._pool()
        with translated(self.server):
            line.response = response = await pool.send(pool.build_request(**wanted(request)), stream=True)
            head = Reply(status=response.status_code, headers=response.headers)
            if is_stream(head):
                line.chunks = response.aiter_bytes()
                return head
            return Reply(status=head.status, headers=head.headers, body=await response.aread())

    def _pool(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            self._client = httpx2.AsyncClient(**settings(self.server))
        return self._client


async def _sleep(seconds: float) -> None:
    """Let the event loop do other things for some seconds."""
    import asyncio

    await asyncio.sleep(seconds)


async def _fill(parcel: Parcel, rows: Rows) -> bool:
    """Put rows into the parcel until it is full; return whether they have run out."""
    if rows.awaiting is None:
        return all(map(parcel.put, rows.blocking or ()))
    async for row in rows.awaiting:
        if not parcel.put(row):
            return False
    return True
