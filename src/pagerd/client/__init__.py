"""The typed Python client of the HTTP API, sync and async."""

from pagerd.client.errors import ApiError, NotConfigured, NotTold, Unreachable
from pagerd.client.pager import AsyncPager, Pager
from pagerd.client.patience import Patience
from pagerd.client.people import Recipient
from pagerd.core.errors import PagerError

__all__ = [
    "ApiError",
    "AsyncPager",
    "NotConfigured",
    "NotTold",
    "Pager",
    "PagerError",
    "Patience",
    "Recipient",
    "Unreachable",
]
