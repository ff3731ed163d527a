"""Lines to the database: raw connections for the hot path, with either driver, and a few of them kept open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.failures import RERUN, is_lost, sqlstate, translated
from pagerd.core.errors import Misconfigured, Unavailable

T = TypeVar("T")
Row = Sequence[Any]

CONNECT: Final = 10.0
"""Seconds after which a server that does not answer counts as unreachable."""
_ANSWER: Final = 30.0
_TRIES: Final = 10
EVERY: Final = "*"
"""Instead of a workspace: all of them."""
_BEGIN: Final = (
    f"BEGIN; SET LOCAL pagerd.workspace = '{EVERY}'; "
    # Shorter than any lease: a process that was stopped in the middle loses its locks before it loses its claims.
    "SET LOCAL idle_in_transaction_session_timeout = '5s'"
)
"""How the hot path begins: it serves all workspaces (docs/decisions/0014)."""


class CommitUnknown(Unavailable):
    """The connection broke while a commit was under way: it may stand or not."""

    code = "store_unreachable"


class Line(Protocol):
    """One connection. Statements carry ``$1`` …; values are as asyncpg takes them."""

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        """Run one statement; return its rows."""
        ...

    async def script(self, statements: str) -> None:
        """Run statements without values, in one exchange."""
        ...

    async def close(self) -> None:
        """Hang up; twice is harmless."""
        ...


class _AsyncpgLine:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        rows: Sequence[Row] = await self._connection.fetch(statement, *values)
        return rows

    async def script(self, statements: str) -> None:
        await self._connection.execute(statements)

    async def close(self) -> None:
        self._connection.terminate()


class _PsycopgLine:
    def __init__(self, connection: Any) -> None:
        import psycopg

        connection.cursor_factory = psycopg.AsyncRawCursor  # which leaves $1 as it is
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Row]:
        cursor = await self._connection.execute(statement, values)
        rows: Sequence[Row] = await cursor.fetchall() if cursor.description else ()
        return rows

    async def script(self, statements: str) -> None:
        await self._connection.execute(statements)

    async def close(self) -> None:
        await self._connection.close()


def drivers() -> None:
    """See that the drivers are installed; raise :class:`Misconfigured` that names the extra."""
    try:
        import asyncpg  # noqa: F401
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Misconfigured(
            f"PostgreSQL needs {error.name}, which is not installed",
            code="extra_missing",
            remedy="pip install 'pagerd[postgres]'",
        ) from error


async def connected(at: Address) -> Any:
    """Return a new connection of the address's driver, in autocommit."""
    if at.driver == "psycopg":
        import psycopg

        return await psycopg.AsyncConnection.connect(
            at.dsn,
            autocommit=True,
            prepare_threshold=None if at.pooled else 1,
            connect_timeout=int(CONNECT),
        )
    return await dial(at)


async def dial(at: Address) -> Any:
    """Return a new connection by asyncpg, whatever driver the address names: to listen, and to see what is wrong."""
    import asyncpg

    kept = 0 if at.pooled else 256
    return await asyncpg.connect(at.dsn, timeout=CONNECT, command_timeout=_ANSWER, statement_cache_size=kept)


async def line(at: Address) -> Line:
    """Return a new line; raise what the failure means."""
    try:
        connection = await connected(at)
    except Exception as error:
        raise translated(error, at) from error
    return _PsycopgLine(connection) if at.driver == "psycopg" else _AsyncpgLine(connection)


class Lines:
    """Keeps lines for transactions over all workspaces; a line that broke is replaced when it is next needed."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._idle: list[Line] = []
        self._closed = False

    async def run(self, change: Callable[[Line], Awaitable[T]]) -> T:
        """Run ``change`` in one transaction; return its value once it is durable.

        It is run again where a neighbour was in the way, or where the line turned out to be dead before anything
        could be committed. :class:`CommitUnknown` says that the commit itself was not answered.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._once(change)
            except Unavailable:
                raise
            except Exception as error:
                again = sqlstate(error) in RERUN or (is_lost(error) and attempt == 1)
                if not again or attempt == _TRIES:
                    raise translated(error, self._at) from error
            await asyncio.sleep(0.002 * (attempt - 1))
        raise AssertionError("the last try raises")

    async def aclose(self) -> None:
        """Hang up; twice is harmless."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _once(self, change: Callable[[Line], Awaitable[T]]) -> T:
        if self._closed:
            raise Unavailable("the store is closing", code="closing")
        used = self._idle.pop() if self._idle else await line(self._at)
        try:
            await used.script(_BEGIN)
            value = await change(used)
        except BaseException as error:
            await self._undo(used, error)
            raise
        try:
            await used.script("COMMIT")
        except BaseException as error:
            await used.close()
            if isinstance(error, Exception) and (is_lost(error) or sqlstate(error) is None):
                raise CommitUnknown("the database went away during a commit") from error
            raise
        await self._keep(used)
        return value

    async def _undo(self, used: Line, error: BaseException) -> None:
        if not isinstance(error, Exception):
            await used.close()  # cancelled in the middle: nobody knows what is still to be read from it
            return
        if is_lost(error):
            # Where one line is dead, those that idle beside it are, too: the server is another by now.
            for dead in [used, *self._idle]:
                await dead.close()
            self._idle.clear()
            return
        with contextlib.suppress(Exception):
            await used.script("ROLLBACK")
            await self._keep(used)
            return
        await used.close()

    async def _keep(self, used: Line) -> None:
        if self._closed:
            await used.close()
        else:
            self._idle.append(used)
