"""SQLAlchemy's engines over either driver: as raw as can be, transactions begin and end by explicit statements."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pagerd.adapters.sql.postgres.address import Address
from pagerd.adapters.sql.postgres.lines import connected

_KEPT: Final = 4
_MORE: Final = 8
_WAIT: Final = 30.0


def engine(at: Address) -> AsyncEngine:
    """Return an engine that connects when it is first used."""
    options: dict[str, Any] = {}
    if at.driver == "asyncpg" and at.pooled:
        # Nothing is prepared under a name that another transaction on another server process would not find.
        options = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}

    async def connect(*_: Any, **__: Any) -> Any:
        return await connected(at)

    return create_async_engine(
        f"postgresql+{at.driver}://",
        async_creator=connect,
        connect_args=options,
        isolation_level="AUTOCOMMIT",
        pool_size=_KEPT,
        max_overflow=_MORE,
        pool_timeout=_WAIT,
    )
