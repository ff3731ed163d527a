"""One look of ``pagerd check``, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pagerd.core.errors import PagerError
from pagerd.health.checks import Check


async def looked(name: str, look: Callable[[], Awaitable[str]], remedy: str) -> Check:
    """Return what ``look`` found; what it raised is what is wrong, with its own remedy or this one."""
    try:
        return Check(name=name, ok=True, detail=await look())
    except PagerError as error:
        return Check(name=name, ok=False, detail=error.detail, remedy=error.remedy or remedy)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Check(name=name, ok=False, detail=f"{where}{error.strerror or error}", remedy=remedy)
