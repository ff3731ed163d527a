"""Drives plans in programs that block."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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
    chunks: Iterator[bytes] = iter(())

    def close(self) -> None:
        """Hang up; twice is once."""
        if self.response is not None:
            self.response.close()
        self.response, self.chunks = None, iter(())


class Blocking:
    """One server, and a pool of connections to it; safe to share between threads."""

    def __init__(
        self, server: Server, patience: Patience | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.server = server
        self.patience = patience or Patience()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def run(self, plan: Plan[T]) -> T:
        """Carry a plan out and return its result."""
        line = _Line()
        with closing(plan), closing(line):
            return cast("T", cast("Done", self._next(plan, line)).result)

    def stream(self, course: Course[T]) -> Iterator[T]:
        """Carry a course out; give its items as they come."""
        line = _Line()
        with closing(course), closing(line):
            while isinstance(step := self._next(course, line), Give):
                yield step.item

    def close(self) -> None:
        """Close every connection. A later call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _next(self, plan: Plan[Any] | Course[Any], line: _Line) -> Give[Any] | Done:
        """Go on until the plan gives something or is done."""
        answer: object = None
        while True:
            step = resumed(plan, answer)
            if isinstance(step, (Give, Done)):
                return step
            try:
                answer = self._perform(step, line)
            except Exception as failure:  # noqa: BLE001 - whatever it is, it is the plan's, and leaves by it
                answer = Failed(failure)

    def _perform(self, step: Step, line: _Line) -> object:
        """Do one step and return what it brought."""
        match step:
            case Ask(request):
                return self._ask(request)
            case Rest(seconds):
                return self._sleep(seconds)
            case Fill(parcel, rows):
                return _fill(parcel, rows)
            case Listen(request):
                return self._listen(request, line)
            case Hear():
                with translated(self.server):
                    return next(line.chunks, b"")

    def _ask(self, request: Request) -> Reply:
        with translated(self.server):
            response = self._pool().request(**wanted(request))
        return Reply(status=response.status_code, headers=response.headers, body=response.content)

    def _listen(self, request: Request, line: _Line) -> Reply:
        line.close()
        pool = self._pool()
        with translated(self.server):
            line.response = response = pool.send(pool.build_request(**wanted(request)), stream=True)
            head = Reply(status=response.status_code, headers=response.headers)
            if is_stream(head):
                line.chunks = response.iter_bytes()
                return head
            return Reply(status=head.status, headers=head.headers, body=response.read())

    def _pool(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                import httpx2

                self._client = httpx2.Client(**settings(self.server))
            return self._client


def _fill(parcel: Parcel, rows: Rows) -> bool:
    """Put rows into the parcel until it is full; return whether they have run out."""
    if rows.blocking is None:
        raise TypeError("a blocking Pager can't read an asynchronous iterable; AsyncPager can")
    return all(map(parcel.put, rows.blocking))
