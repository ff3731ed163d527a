"""Who may reach pages that ask for no key: a browser on this machine that was not sent by another site."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

Gate = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]


def named(hosts: Collection[str]) -> Gate:
    """Return a guard that refuses requests for any other host.

    A foreign page whose name is made to resolve to this machine (DNS rebinding) counts as same-origin to the
    browser: only the name it was asked by gives it away.
    """

    def gate(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        del handler
        host = connection.headers.get("host", "").lower()
        if host not in hosts and host.rpartition(":")[0] not in hosts:
            raise PermissionDeniedException("This page is only for a browser on the same machine: open it as localhost")

    return gate


def same_origin(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what another site's page sent: Sec-Fetch-Site decides, or Origin in a browser that has only that."""
    del handler
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        fine = site == "same-origin"
    else:
        fine = origin is not None and urlsplit(origin).netloc == connection.headers.get("host")
    if not fine:
        raise PermissionDeniedException("Only the page itself may ask for this")
