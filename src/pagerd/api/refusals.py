"""What only HTTP can refuse: a form that is not understood, a tag that is stale, a client that went away."""

from __future__ import annotations

from pagerd.core.errors import Refused


class UnsupportedMedia(Refused):
    """The body comes in a form that is not understood here."""

    code = "unsupported_media_type"

    def __init__(self, detail: str = "", *, accept: str = "", accept_encoding: str = "") -> None:
        """Say which media type or which content coding would do (RFC 9110, sections 15.5.16 and 12.5.3)."""
        super().__init__(detail)
        self.accept = accept
        self.accept_encoding = accept_encoding


class Stale(Refused):
    """The thing has changed since it was read (If-Match names another state of it)."""

    code = "stale"


class Disconnected(Refused):
    """The client went away before its request was complete."""

    code = "disconnected"
