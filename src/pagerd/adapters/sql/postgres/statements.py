"""The statements of the hot path on PostgreSQL."""

from __future__ import annotations

from typing import Final

from pagerd.adapters.sql.statements import load
from pagerd.core.balance import FIELDS

_WIDTH: Final = len(FIELDS)

HOT: Final = load(__package__, "hot.sql")
QUEUED: Final = load(__package__, "arrivals.sql")

# The columns are the fields of core.balance.Counts, so these two are made of them.
COUNT: Final = (
    HOT["count"]
    .replace(":columns", ", ".join(FIELDS))
    .replace(":numbers", ", ".join(f"($3::int[])[(u.i - 1) * {_WIDTH} + {at}]" for at in range(1, _WIDTH + 1)))
    .replace(":changes", ", ".join(f"{name} = c.{name} + excluded.{name}" for name in FIELDS))
)
COUNTS: Final = HOT["counts"].replace(":sums", ", ".join(f"sum({name})::int" for name in FIELDS))
